/** A worker that drains finishes what it has begun, takes nothing new, and reports when it is done. */
import { expect, test } from "vitest";
import { type Client, codeOf, completion } from "./client.ts";
import { response } from "./engine.ts";
import { rightResponse } from "./prompts.ts";
import { keepAliveTimeoutMs, World } from "./world.ts";

const stream = { prompt: "to the end", stream: true, events: 20 };

/** Starts a drain; returns whether it is over. */
function drain(
  world: World,
  timeoutMs = 0,
  idle: "close" | "keep" = "close",
): () => Promise<boolean> {
  let over = false;
  void world.worker.drain(timeoutMs, idle).then(() => {
    over = true;
  });
  return async () => {
    await Promise.resolve();
    return over;
  };
}

test("what is in flight is finished, idle connections are closed, then the drain is over", async () => {
  const world = new World();
  const idle = world.ask({ prompt: "done", stream: false });
  world.responseTo(idle);
  const silent = world.client();
  const busy = world.ask(stream);
  world.runFor(100);
  expect(busy.midway).toBe(true);
  const over = drain(world);
  world.runFor(5);
  expect([idle.ended, silent.ended, busy.ended]).toEqual(["fin", "fin", undefined]);
  expect(await over()).toBe(false);
  expect(world.responseTo(busy).body.toString()).toBe(rightResponse(stream));
  world.runUntil(() => busy.ended === "fin", 100);
  world.runFor(5);
  expect(await over()).toBe(true);
  world.expectNothingLeft();
});

test("a response whose head goes out during a drain says that the connection closes", () => {
  const world = new World();
  world.decode[0]!.script = (_, { send, after }) => after(200, () => send(response("{}")));
  const client = world.ask({ prompt: "p", stream: false });
  world.runFor(50);
  drain(world);
  expect(world.responseTo(client).fields.get("connection")).toEqual(["close"]);
  world.runUntil(() => client.ended === "fin", 100);
  world.expectNothingLeft();
});

test("a request that is on its way in still gets its response", () => {
  const world = new World();
  const parts: [Client, string][] = [7, -7].map((cut) => {
    const client = world.client();
    const whole = completion({ prompt: "half", stream: false });
    client.send(whole.slice(0, cut));
    return [client, whole.slice(cut)];
  });
  world.runFor(50);
  drain(world);
  world.runFor(50);
  for (const [client, rest] of parts) {
    client.send(rest, "");
    const got = world.responseTo(client);
    expect(got.body.toString()).toBe(rightResponse({ prompt: "half", stream: false }));
    expect(got.fields.get("connection")).toEqual(["close"]);
  }
  world.expectNothingLeft();
});

test("if another process serves on, a request on a connection that was to stay still gets its response", async () => {
  const world = new World();
  const idle = world.ask({ prompt: "done", stream: false });
  world.responseTo(idle);
  const fresh = world.client();
  const busy = world.ask(stream);
  const silent = world.ask({ prompt: "silent", stream: false });
  world.responseTo(silent);
  world.runFor(100);
  expect(busy.midway).toBe(true);
  const over = drain(world, 0, "keep");
  world.responseTo(busy);
  world.runFor(200);
  for (const client of [idle, fresh, busy]) {
    client.send(completion({ prompt: "one more", stream: false }));
    const { status, fields } = world.responseTo(client);
    expect([status, fields.get("connection")]).toEqual([200, ["close"]]);
    world.runUntil(() => client.ended === "fin", 100);
  }
  // A client that asks nothing more is closed as it would have been without a drain.
  expect([silent.ended, await over()]).toEqual([undefined, false]);
  world.runUntil(() => silent.ended === "fin", keepAliveTimeoutMs);
  world.runFor(5);
  expect(await over()).toBe(true);
  world.expectNothingLeft();
});

test("the end of a response that waits for a slow client is not lost", () => {
  const world = new World({ kernelBytes: 10_000 });
  const body = `{"choices":[{"text":"${"b".repeat(100_000)}"}]}`;
  for (const engine of world.decode) engine.script = (_, { send }) => send(response(body));
  const client = world.client();
  client.connected = () => client.socket.pause();
  client.send(completion({ prompt: "p", stream: false }));
  world.runFor(50);
  expect(world.inFlight).toBe(0);
  drain(world);
  world.runFor(50);
  client.socket.resume();
  expect(world.responseTo(client).body.length).toBe(body.length);
  world.expectNothingLeft();
});

test("new connections are not taken", () => {
  const world = new World();
  drain(world);
  const late = world.ask(stream);
  world.runUntil(() => late.ended !== undefined, 100);
  expect(late.answers).toEqual([]);
  expect(world.engines.flatMap(({ requests }) => requests)).toEqual([]);
  world.expectNothingLeft();
});

test("a drain is over after its time, whatever is still under way", async () => {
  const world = new World();
  world.decode[0]!.script = () => {};
  world.ask(stream);
  world.runFor(50);
  const over = drain(world, 400);
  world.runFor(300);
  expect(await over()).toBe(false);
  world.runFor(200);
  expect(await over()).toBe(true);
  world.worker.stop();
  world.runFor(10);
  expect(world.inFlight).toBe(0);
  expect(world.lines).toHaveLength(1);
  world.expectNothingLeft();
});

test("a stop ends what is under way in a way that clients can see", () => {
  const world = new World({ prefill: 3 });
  const unanswered = world.ask({ prompt: "p", stream: false });
  world.prefill[0]!.script = () => {};
  const sending = world.client();
  sending.send(completion(stream).slice(0, -1));
  const streaming = world.ask(stream);
  const old = world.ask(stream, "", "1.0");
  world.runFor(100);
  world.worker.stop();
  expect(world.inFlight).toBe(0);
  expect(world.lines).toHaveLength(4);
  world.runFor(20);
  expect([unanswered, sending].map(({ answers }) => answers[0]?.status)).toEqual([503, 503]);
  expect(codeOf(unanswered.answers[0]!)).toBe("GP_DRAINING");
  expect(streaming.midway).toBe(true);
  expect(old.answers).toEqual([]);
  expect([unanswered, sending, streaming, old].map(({ ended }) => ended)).toEqual([
    "fin",
    "fin",
    "fin",
    "rst",
  ]);
  world.expectNothingLeft();
});
