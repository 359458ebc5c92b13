/** 429 and 503 say that an engine has too much to do: another takes the request, and the engine is left in peace. */
import { describe, expect, test } from "vitest";
import { type Engine, response, type Script } from "./engine.ts";
import { rightResponse } from "./prompts.ts";
import { World } from "./world.ts";

const ask = { prompt: "too much to do", stream: true };
const statuses = ["429 Too Many Requests", "503 Service Unavailable"];
const seen = ({ requests }: Engine) => requests.length;

function says(status: string, lines = ""): Script {
  return (_, { send }) => send(response('{"error":{"message":"busy"}}', status, lines));
}

describe.each(["prefill", "decode"] as const)("of %s", (role) => {
  test.each(statuses)(
    "%s: another engine takes the request, and this one rests as asked",
    (status) => {
      const world = new World();
      const [busy, other] = world[role];
      const { script } = busy!;
      busy!.script = says(status, "Retry-After: 5\r\n");
      const askMany = (count: number) => {
        for (let i = 0; i < count; i += 1) {
          expect(world.responseTo(world.ask(ask)).body.toString()).toBe(rightResponse(ask));
        }
      };
      askMany(6);
      expect(seen(busy!)).toBe(1);
      const before = seen(other!);
      busy!.script = script;
      world.runFor(5_000);
      askMany(4);
      expect(seen(busy!)).toBe(3);
      expect(seen(other!)).toBe(before + 2);
      world.expectNothingLeft();
    },
  );

  test.each(statuses)(
    "%s of all: each is asked, and the last one's response is the client's",
    (status) => {
      const world = new World({ prefill: 3, decode: 3 });
      for (const engine of world[role]) engine.script = says(status, "Retry-After: 7\r\n");
      for (let i = 0; i < 3; i += 1) {
        const got = world.responseTo(world.ask(ask));
        expect(got.startLine).toBe(`HTTP/1.1 ${status}`);
        expect(got.fields.get("retry-after")).toEqual(["7"]);
      }
      // None is ejected for it.
      expect(world[role].map(seen)).toEqual([3, 3, 3]);
      world.expectNothingLeft();
    },
  );

  test("without a Retry-After it is passed over for a second", () => {
    const world = new World();
    const [busy] = world[role];
    const { script } = busy!;
    busy!.script = says(statuses[0]!);
    world.responseTo(world.ask(ask));
    busy!.script = script;
    world.responseTo(world.ask(ask));
    expect(seen(busy!)).toBe(1);
    world.runFor(1_000);
    for (let i = 0; i < 2; i += 1) world.responseTo(world.ask(ask));
    expect(seen(busy!)).toBe(2);
    world.expectNothingLeft();
  });
});

test("by nginx's rules they are failures like others", () => {
  const world = new World({
    engine: { maxFails: 1 },
    route: { retry: { rules: "nginx", on: ["error", "http_503", "non_idempotent"] } },
  });
  const [busy] = world.prefill;
  busy!.script = says(statuses[1]!, "Retry-After: 1\r\n");
  for (let i = 0; i < 4; i += 1) world.responseTo(world.ask(ask));
  world.runFor(2_000);
  for (let i = 0; i < 4; i += 1) world.responseTo(world.ask(ask));
  expect(seen(busy!)).toBe(1);
  world.expectNothingLeft();
});

test("a backup takes over for engines that are busy", () => {
  const world = new World({ decode: 2 });
  const { pools } = world.config;
  const [first, second] = pools["decode"]!.engines;
  const decode = { ...pools["decode"]!, engines: [first!, { ...second!, backup: true }] };
  world.apply({ ...world.config, pools: { ...pools, decode } });
  world.decode[0]!.script = says(statuses[1]!, "Retry-After: 5\r\n");
  for (let i = 0; i < 3; i += 1) {
    expect(world.responseTo(world.ask(ask)).body.toString()).toBe(rightResponse(ask));
  }
  expect(world.decode.map(seen)).toEqual([1, 3]);
  world.expectNothingLeft();
});
