/** Policies that go by prefixes see those of live requests. */
import { expect, test } from "vitest";
import { World } from "./world.ts";

const names = ["cache_aware", "predicted_time"] as const;

test.each(
  names.flatMap((name) => [
    { name, where: "with a prefill, to one prefill engine", pick: 2, route: {} },
    { name, where: "without one, to one engine", pick: 4, route: { prefill: undefined } },
  ]),
)("by $name, prompts that begin alike go, $where", ({ name, pick, route }) => {
  const world = new World({ prefill: 3, decode: 3, pool: { policy: { name } }, route });
  for (const engine of world.engines) engine.checksTransfer = pick === 2;
  const ask = (chat: number, turn: number) =>
    world.ask({ prompt: `${`chat ${chat} `.repeat(2_000)} turn ${turn}`, stream: false });
  // At once, so that they go to different engines.
  const firsts = [1, 2].map((chat) => ask(chat, 0));
  for (const client of firsts) expect(world.responseTo(client).status).toBe(200);
  const engineOf = (chat: number, turn: number) => {
    expect(world.responseTo(ask(chat, turn)).status).toBe(200);
    world.runFor(5);
    return world.lines.at(-1)!.split(" ")[pick];
  };
  const homes = [1, 2].map((chat) => engineOf(chat, 1));
  expect(homes[0]).not.toBe(homes[1]);
  for (let turn = 2; turn < 5; turn += 1) {
    expect([1, 2].map((chat) => engineOf(chat, turn))).toEqual(homes);
  }
  world.expectNothingLeft();
});

test("a body that is no JSON reaches its engine as it is, whatever its policy wants to know", () => {
  const world = new World({
    pool: { policy: { name: "cache_aware" } },
    route: { prefill: undefined },
  });
  const bodies: string[] = [];
  for (const engine of world.decode) {
    engine.checksTransfer = false;
    engine.script = (request, connection) => {
      bodies.push(request.body.toString());
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    };
  }
  const client = world.client();
  const body = '{"prompt": "half of it';
  client.send(
    `POST /v1/audio HTTP/1.1\r\nHost: proxy\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  expect(world.responseTo(client).status).toBe(200);
  expect(bodies).toEqual([body]);
  world.expectNothingLeft();
});
