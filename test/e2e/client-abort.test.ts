/** A client that goes away, in whatever phase its request is, leaves nothing behind: no running request, no KV. */
import { connect, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openRaw, postBytes } from "../simulated-engine/raw-client.ts";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, instant, Stack, totals } from "../support/stack.ts";

const path = "/v1/completions";
const prompt = "Where does it go? ".repeat(50);
const noPrefillTime = ["--prefill-tokens-per-second", "0", "--batch-penalty-ms", "0"];

/** How a client goes. */
const ways: readonly (readonly [string, (socket: Socket) => void])[] = [
  ["closes", (socket) => socket.destroy()],
  ["resets", (socket) => socket.resetAndDestroy()],
  ["ends its side", (socket) => socket.end()],
];

describe.each(bunAndOneNode("client-abort"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let prefill: Engine;
  let decode: Engine;
  let url: string;

  beforeAll(async () => {
    [prefill] = (await stack.startEngines("prefill", 1)) as [Engine];
    [decode] = (await stack.startEngines("decode", 1, [...noPrefillTime, "--itl-ms", "20"])) as [
      Engine,
    ];
    ({ url } = await stack.startByFlags([prefill], [decode]));
  });
  afterEach(async () => {
    await Promise.all([prefill.clearFaults(), decode.clearFaults()]);
    // Whatever went before, the next one is served, and nothing of it is left.
    expect(await post(url + path, { prompt, max_tokens: 1 })).toMatchObject({ status: 200 });
    expect(totals(await stack.settled([prefill, decode]))).toMatchObject({
      recomputed: 0,
      expired: 0,
    });
  });
  afterAll(() => stack.end());

  const both = async () => ({ prefill: await prefill.state(), decode: await decode.state() });

  async function send(body: object = {}) {
    const client = await openRaw(url);
    client.socket.write(postBytes(path, { prompt, ...body }));
    return client;
  }

  describe.each(ways)("a client that %s", (_way, leave) => {
    test("while its body arrives reaches no engine", async () => {
      const before = await both();
      const client = await openRaw(url);
      client.socket.write(postBytes(path, { prompt }).slice(0, 300));
      await new Promise<void>((resolve) => setImmediate(resolve));
      leave(client.socket);
      await client.ended;
      expect((await both()).prefill.requestsSeen).toBe(before.prefill.requestsSeen);
    });

    test("during prefill ends the prefill, and no decode begins", async () => {
      const before = await both();
      await prefill.setFault({ kind: "stall", times: 1 });
      const client = await send({ stream: true });
      await eventually(async () => (await prefill.state()).waiting === 1);
      leave(client.socket);
      await eventually(async () => (await prefill.state()).waiting === 0);
      const after = await both();
      expect(after.prefill.aborted.waiting).toBe(before.prefill.aborted.waiting + 1);
      expect(after.decode.requestsSeen).toBe(before.decode.requestsSeen);
    });

    test("while decode waits frees the KV that it would have fetched", async () => {
      const before = await both();
      await decode.setFault({ kind: "stall", times: 1 });
      const client = await send();
      await eventually(async () => (await decode.state()).waiting === 1);
      expect((await prefill.state()).held).toBe(1);
      leave(client.socket);
      await stack.settled([prefill, decode]);
      const after = await both();
      expect(after.prefill.released).toBe(before.prefill.released + 1);
      expect(after.decode.aborted.waiting).toBe(before.decode.aborted.waiting + 1);
    });

    test.each([
      ["in mid stream", { stream: true }],
      ["while its answer is made", {}],
    ])("%s ends the decode", async (_name, more) => {
      const before = await both();
      const client = await send({ ...more, max_tokens: 5_000 });
      if ("stream" in more) await client.until("data: {");
      else await eventually(async () => (await decode.state()).running === 1);
      leave(client.socket);
      await stack.settled([prefill, decode]);
      expect((await decode.state()).aborted.streaming).toBe(before.decode.aborted.streaming + 1);
    });
  });

  test("a pipelined request of a client that has gone is not begun", async () => {
    const before = await both();
    const client = await openRaw(url);
    const one = postBytes(path, { prompt, stream: true, max_tokens: 5_000 });
    client.socket.write(one + one);
    await client.until("data: {");
    client.socket.destroy();
    await stack.settled([prefill, decode]);
    expect((await both()).prefill.requestsSeen).toBe(before.prefill.requestsSeen + 1);
  });

  test("a client that does not read for a while is not cancelled, and delays no other", async () => {
    const [quick] = await stack.startEngines("decode", 1);
    const proxy = await stack.startByFlags([prefill], [quick!]);
    const client = connect(proxy.port, "127.0.0.1");
    client.pause();
    // The id is in every event, which makes more of them than all buffers on the way take.
    const id = `X-Request-Id: ${"x".repeat(8_000)}\r\n`;
    client.write(postBytes(path, { prompt, stream: true, max_tokens: 6_000 }, id));
    await eventually(async () => (await quick!.state()).running === 1);
    for (let others = 0; others < 10; others += 1) {
      const other = await post(proxy.url + path, { prompt, stream: true });
      expect(other).toMatchObject({ status: 200, end: "whole" });
    }
    expect((await quick!.state()).running).toBe(1);
    let bytes = 0;
    let tail = "";
    client.on("data", (part) => {
      bytes += part.length;
      tail = (tail + part.toString("latin1")).slice(-40);
    });
    client.resume();
    await eventually(() => tail.endsWith("data: [DONE]\n\n\r\n0\r\n\r\n"));
    expect(bytes).toBeGreaterThan(48_000_000);
    client.destroy();
  });

  test("KV of a prefill that no decode engine takes stays until its lease ends, no longer", async () => {
    const short = [...instant, "--kv-lease-ms", "300"];
    const [holder] = await stack.startEngines("prefill", 1, short);
    const proxy = await stack.startByFlags([holder!], [dead]);
    const response = await post(proxy.url + path, { prompt });
    expect(response).toMatchObject({ status: 502, end: "whole" });
    expect(totals(await stack.settled([holder!]))).toMatchObject({ stored: 1, expired: 1 });
    expect((await ask(`${proxy.url}/health`)).status).toBe(503);
  });
});

/** Nobody listens there. */
const dead = { url: "http://127.0.0.1:1" } as Engine;
