/**
 * Deadlines of a whole request and of a prefill: also what comes in drops ends in time, and in a way that the client can
 * see.
 */
import { expect, test } from "vitest";
import { deadlineTickMs } from "../../src/limits.ts";
import { type Client, codeOf, completion } from "./client.ts";
import { chunk, chunkedHead, prefills, response, type Script } from "./engine.ts";
import { World } from "./world.ts";

const ask = { prompt: "the sea", stream: true };
const requestTimeoutMs = 2_000;
const route = { requestTimeoutMs };

/** Something every 100 ms, for ever. */
const drips =
  (head: string, drop: string): Script =>
  (_, { send, after, socket }) => {
    send(head);
    const more = () => {
      if (socket.closed) return;
      send(drop);
      after(100, more);
    };
    more();
  };

function expectEnd(world: World, client: Client, timeoutMs: number): void {
  const startMs = world.network.nowMs();
  world.runUntil(() => client.answers.length > 0 || client.ended !== undefined, 20_000);
  const tookMs = world.network.nowMs() - startMs;
  expect(tookMs).toBeGreaterThanOrEqual(timeoutMs);
  expect(tookMs).toBeLessThanOrEqual(timeoutMs + deadlineTickMs + 12);
}

const outcomesOf = (client: Client) => client.answers.map((one) => [one.status, codeOf(one)]);

test("a request whose body comes byte by byte gets 408", () => {
  const world = new World({ route });
  const client = world.client();
  const whole = completion({ ...ask, prompt: "x".repeat(1_000) });
  client.send(whole.slice(0, -900));
  let at = whole.length - 900;
  const more = () => {
    if (client.answers.length > 0 || client.socket.closed) return;
    client.send(whole.slice(at, at + 1), "");
    at += 1;
    world.network.after(100, more);
  };
  more();
  expectEnd(world, client, requestTimeoutMs);
  expect(outcomesOf(client)).toEqual([[408, "GP_CLIENT_TIMEOUT"]]);
  expect(world.prefill.flatMap(({ requests }) => requests)).toEqual([]);
  world.expectNothingLeft();
});

test.each([
  ["prefill", "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", " "],
  ["prefill", chunkedHead, chunk(" ")],
  ["decode", "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", " "],
] as const)("a %s whose response comes in drops (%j) is a 504 in time", (role, head, drop) => {
  const world = new World({ route });
  for (const engine of world[role]) engine.script = drips(head, drop);
  const client = world.ask(ask);
  expectEnd(world, client, requestTimeoutMs);
  expect(outcomesOf(client)).toEqual([[504, "GP_REQUEST_TIMEOUT"]]);
  expect(world.lines).toEqual([expect.stringContaining("504 GP_REQUEST_TIMEOUT")]);
  world.expectNothingLeft();
});

const event = 'data: {"choices":[{"text":"a"}]}\n\n';

test.each(["1.1", "1.0"])(
  "a stream that goes on for too long breaks off visibly (HTTP/%s)",
  (version) => {
    const world = new World({ route });
    for (const engine of world.decode) engine.script = drips(chunkedHead, chunk(event));
    const client = world.client();
    client.send(completion(ask, "", version));
    expectEnd(world, client, requestTimeoutMs);
    expect(client.answers).toEqual([]);
    expect(client.receivedText).toContain(event);
    if (version === "1.0") expect(client.ended).toBe("rst");
    expect(world.lines).toEqual([expect.stringContaining("200 GP_REQUEST_TIMEOUT")]);
    world.expectNothingLeft();
  },
);

test("a request that waits for its engines counts that time", () => {
  const world = new World({
    route,
    decode: 1,
    prefill: 1,
    pool: { queue: {} },
    engine: { maxConns: 1 },
  });
  world.decode[0]!.script = drips(chunkedHead, chunk(event));
  const first = world.ask(ask);
  world.runFor(500);
  const second = world.ask(ask);
  world.runUntil(() => first.ended !== undefined, 3_000);
  world.decode[0]!.script = () => {};
  world.runUntil(() => second.answers.length > 0, 3_000);
  expect(outcomesOf(second)).toEqual([[504, "GP_REQUEST_TIMEOUT"]]);
  world.expectNothingLeft();
});

const prefillTimeoutMs = 600;

test.each([
  ["that says nothing", () => {}],
  ["that comes in drops", drips("HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", " ")],
  ["whose head comes in drops", drips("HTTP/1.1 200 OK\r\nX: ", "y")],
] as const)("a prefill %s is tried at another engine in time", (_, script) => {
  const world = new World({ route: { prefillTimeoutMs } });
  let tries = 0;
  for (const engine of world.prefill) {
    engine.script = (request, connection) => {
      tries += 1;
      if (tries === 1) script(request, connection);
      else prefills(request, connection);
    };
  }
  const client = world.ask(ask);
  world.runFor(prefillTimeoutMs - 50);
  expect(tries).toBe(1);
  expect(world.responseTo(client, 300).status).toBe(200);
  expect(tries).toBe(2);
  world.expectNothingLeft();
});

test("a prefill without another engine is a 504, and the decode's time is its own", () => {
  const world = new World({ prefill: 1, route: { prefillTimeoutMs } });
  world.decode[0]!.script = (_, { send, after }) => after(900, () => send(response("{}")));
  world.decode[1]!.script = world.decode[0]!.script;
  expect(world.responseTo(world.ask(ask)).status).toBe(200);
  world.prefill[0]!.script = () => {};
  const client = world.ask(ask);
  expectEnd(world, client, prefillTimeoutMs);
  expect(outcomesOf(client)).toEqual([[504, "GP_PREFILL_TIMEOUT"]]);
  world.expectNothingLeft();
});
