/** What engines do on sockets, on each runtime, seen from outside the process. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EngineProcess, startEngineProcess } from "../support/engine-process.ts";
import { eventually } from "../support/eventually.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { scaled } from "../support/times.ts";
import { kvParamsOf, post, setFault, splice, stateOf } from "./http.ts";
import { openRaw, postBytes } from "./raw-client.ts";

const path = "/v1/completions";
const prompt = { prompt: "Tell me of the sea" };
const fast = ["--prefill-tokens-per-second", "0", "--itl-ms", "0"];

describe.each(bunAndOneNode("simulated engine"))("on %s", (runtime) => {
  const running: EngineProcess[] = [];
  const start = async (...switches: string[]): Promise<EngineProcess> => {
    const engine = await startEngineProcess(runtime, switches);
    running.push(engine);
    return engine;
  };
  let engine: EngineProcess;
  beforeAll(async () => {
    engine = await start("--role", "mixed", ...fast);
  });
  afterAll(() => Promise.all(running.map((one) => one.stop())));

  describe("a stream", () => {
    it("sends its head before there is a token", async () => {
      const slow = await start("--role", "mixed", "--prefill-tokens-per-second", "0.001");
      const connection = await openRaw(slow.url);
      connection.socket.write(postBytes(path, { ...prompt, stream: true }));
      await connection.until("\r\n\r\n");
      expect(connection.text()).toMatch(/^HTTP\/1.1 200 OK\r\n.*text\/event-stream/s);
      connection.socket.destroy();
    });

    it("splits no event over chunks or writes", async () => {
      const slow = await start("--role", "mixed", "--itl-ms", "20");
      const connection = await openRaw(slow.url);
      connection.socket.write(postBytes(path, { ...prompt, max_tokens: 8, stream: true }));
      await connection.until("\r\n0\r\n\r\n");
      const events = connection.reads.filter((read) => !read.startsWith("HTTP"));
      // A read may join chunks when this process is slow, and newer Nodes join what is written at once in a chunk.
      for (const read of events) {
        expect(read).toMatch(/^([0-9a-f]+\r\n(data: [^\n]*\n\n)+\r\n)*(0\r\n\r\n)?$/);
      }
      expect(connection.text().match(/^data: /gm)).toHaveLength(9);
      connection.socket.destroy();
    });

    it("is the same text on HTTP/1.0, without chunks", async () => {
      const connection = await openRaw(engine.url);
      const request = postBytes(path, { ...prompt, max_tokens: 5, stream: true });
      connection.socket.write(request.replace("HTTP/1.1", "HTTP/1.0"));
      expect(await connection.ended).toBe("end");
      expect(connection.text()).toContain("data: [DONE]\n\n");
      expect(connection.text().toLowerCase()).not.toContain("transfer-encoding");
    });

    it("waits for a slow reader and loses nothing", async () => {
      const connection = await openRaw(engine.url);
      connection.socket.pause();
      connection.socket.write(postBytes(path, { ...prompt, max_tokens: 50_000, stream: true }));
      // Whether the engine has to wait depends on how much the kernel holds.
      await delay(scaled(200));
      connection.socket.resume();
      await connection.until("data: [DONE]");
      expect(connection.text().split("data: {").length - 1).toBe(50_000);
      connection.socket.destroy();
    });
  });

  describe("keep-alive", () => {
    it("serves requests one after the other on a connection, also pipelined", async () => {
      const connection = await openRaw(engine.url);
      const request = postBytes(path, { ...prompt, max_tokens: 1 });
      connection.socket.write(request + request);
      await eventually(() => connection.text().split("HTTP/1.1 200 OK").length === 3);
      connection.socket.write(request);
      await eventually(() => connection.text().split("HTTP/1.1 200 OK").length === 4);
      expect(connection.text()).not.toMatch(/keep-alive/i);
      connection.socket.destroy();
    });

    it("closes an idle connection after its time, not before a response is complete", async () => {
      const short = await start("--role", "mixed", "--keep-alive-ms", "50", "--itl-ms", "20");
      const connection = await openRaw(short.url);
      connection.socket.write(postBytes(path, { ...prompt, max_tokens: 10, stream: true }));
      expect(await connection.ended).toBe("end");
      expect(connection.text()).toContain("data: [DONE]");
      await eventually(async () => (await stateOf(short.url)).connectionsOpen === 1);
      expect((await stateOf(short.url)).connectionsAccepted).toBe(1);
    });
  });

  describe("a client that goes away", () => {
    it.each([
      ["waiting", ["--prefill-tokens-per-second", "1"], 1],
      ["prefilling", ["--prefill-tokens-per-second", "1"], 0],
      ["streaming", ["--itl-ms", "50"], 0],
    ] as const)("while %s stops the work at once", async (phase, switches, ahead) => {
      const slow = await start("--role", "mixed", ...switches);
      const others = await Promise.all(Array.from({ length: ahead }, () => openRaw(slow.url)));
      for (const other of others) other.socket.write(postBytes(path, prompt));
      await eventually(async () => (await stateOf(slow.url)).running === ahead);
      for (const stream of [true, false]) {
        const before = await stateOf(slow.url);
        const connection = await openRaw(slow.url);
        connection.socket.write(postBytes(path, { ...prompt, max_tokens: 100_000, stream }));
        await eventually(async () => (await stateOf(slow.url)).requestsSeen > before.requestsSeen);
        if (phase === "streaming" && stream) await connection.until("data: {");
        if (phase === "streaming" && !stream) {
          await eventually(async () => (await tokensOf(slow.url)) > 0);
        }
        connection.socket.destroy();
        await eventually(
          async () => (await stateOf(slow.url)).aborted[phase] === before.aborted[phase] + 1,
        );
        expect(await stateOf(slow.url)).toMatchObject({ running: ahead, waiting: 0 });
      }
      for (const other of others) other.socket.destroy();
    });

    it("in the middle of its body is counted and leaves nothing", async () => {
      const connection = await openRaw(engine.url);
      connection.socket.write(postBytes(path, prompt).slice(0, -5));
      await eventually(async () => (await stateOf(engine.url)).connectionsOpen > 1);
      connection.socket.destroy();
      await eventually(async () => (await stateOf(engine.url)).aborted.receiving >= 1);
    });

    it("right after its request still has the KV released that waits for it", async () => {
      const prefill = await start("--role", "prefill", ...fast);
      const decode = await start("--role", "decode", "--kv-transfer-ms", "60000");
      const response = await post(prefill.url, path, { ...prompt, max_tokens: 1 });
      const params = kvParamsOf(await response.text());
      const body = JSON.parse(`{"raw":0}`) as object;
      const json = splice({ ...body, ...prompt }, "kv_transfer_params", params);
      const connection = await openRaw(decode.url);
      connection.socket.end(
        `POST ${path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n` +
          `Content-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`,
      );
      await eventually(async () => (await stateOf(prefill.url)).released === 1);
      expect(await stateOf(prefill.url)).toMatchObject({ held: 0, fetched: 0, expired: 0 });
      expect(await stateOf(decode.url)).toMatchObject({ running: 0, waiting: 0 });
      connection.socket.destroy();
    });
  });

  describe("P/D between processes", () => {
    it("hands over many at a time, each once", async () => {
      const prefill = await start("--role", "prefill", ...fast);
      const decode = await start("--role", "decode", ...fast);
      const one = async (index: number): Promise<string> => {
        const body = { prompt: `prompt ${index}`, max_tokens: 5 };
        const held = await post(prefill.url, path, { ...body, max_tokens: 1 });
        const params = kvParamsOf(await held.text());
        const response = await post(decode.url, path, splice(body, "kv_transfer_params", params));
        return ((await response.json()) as { choices: { text: string }[] }).choices[0]!.text;
      };
      const texts = await Promise.all(Array.from({ length: 50 }, (_, index) => one(index)));
      expect(new Set(texts).size).toBe(50);
      expect(await stateOf(prefill.url)).toMatchObject({ held: 0, stored: 50, fetched: 50 });
      expect(await stateOf(decode.url)).toMatchObject({ remotePrefills: 50 });
    });
  });

  describe("fault", () => {
    const request = (stream: boolean) => postBytes(path, { ...prompt, max_tokens: 6, stream });
    const strike = async (fault: object, stream: boolean) => {
      await setFault(engine.url, { times: 1, ...fault });
      const connection = await openRaw(engine.url);
      connection.socket.write(request(stream));
      return connection;
    };
    const afterwards = async (): Promise<void> => {
      expect((await stateOf(engine.url)).faults).toEqual([]);
      expect((await post(engine.url, path, prompt)).status).toBe(200);
    };

    it.each(["rst", "fin"])("reset-before-headers (%s)", async (how) => {
      const connection = await strike({ kind: "reset-before-headers", how }, true);
      expect(await connection.ended).toBe(how === "rst" ? "ECONNRESET" : "end");
      expect(connection.text()).toBe("");
      await afterwards();
    });

    it.each([true, false])("reset-after-headers (stream: %s)", async (stream) => {
      const connection = await strike({ kind: "reset-after-headers" }, stream);
      expect(await connection.ended).toBe("ECONNRESET");
      expect(connection.text()).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\n\r\n$/s);
      await afterwards();
    });

    it("reset-after-chunks, after exactly so many", async () => {
      const connection = await strike({ kind: "reset-after-chunks", chunks: 3 }, true);
      expect(await connection.ended).toBe("ECONNRESET");
      expect(connection.text().split("data: {").length - 1).toBe(3);
      await afterwards();
    });

    it("reset-after-chunks in the middle of a JSON response", async () => {
      const connection = await strike({ kind: "reset-after-chunks" }, false);
      expect(await connection.ended).toBe("ECONNRESET");
      expect(connection.text()).toContain('{"id"');
      expect(connection.text()).not.toContain('"usage"');
      await afterwards();
    });

    it("end-after-chunks: a clean end without [DONE]", async () => {
      const connection = await strike({ kind: "end-after-chunks", chunks: 2 }, true);
      await connection.until("\r\n0\r\n\r\n");
      expect(connection.text().split("data: {").length - 1).toBe(2);
      expect(connection.text()).not.toContain("[DONE]");
      connection.socket.destroy();
      await afterwards();
    });

    it("error-after-chunks: vLLM's error event", async () => {
      const connection = await strike({ kind: "error-after-chunks", chunks: 2 }, true);
      await connection.until("\r\n0\r\n\r\n");
      expect(connection.text()).toContain('data: {"error":{');
      connection.socket.destroy();
      await afterwards();
    });

    it.each([
      [undefined, true, ""],
      [0, true, "\r\n\r\n"],
      [2, true, "data: {"],
      [0, false, "\r\n\r\n"],
      [1, false, '{"id"'],
    ])("stall (chunks: %s, stream: %s) until the client gives up", async (chunks, stream, seen) => {
      const before = await stateOf(engine.url);
      const connection = await strike(
        { kind: "stall", ...(chunks === undefined ? {} : { chunks }) },
        stream,
      );
      if (seen === "") {
        await eventually(async () => (await stateOf(engine.url)).waiting === 1);
      } else await connection.until(seen);
      const phase = seen === "" ? "waiting" : "streaming";
      if (chunks === 2) {
        await eventually(() => connection.text().split("data: {").length === 3);
        expect((await stateOf(engine.url)).running).toBe(1);
      }
      connection.socket.destroy();
      await eventually(
        async () => (await stateOf(engine.url)).aborted[phase] === before.aborted[phase] + 1,
      );
      await afterwards();
    });

    it("status, with an error body", async () => {
      await setFault(engine.url, { kind: "status", code: 503, times: 1 });
      const response = await post(engine.url, path, prompt);
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({ error: { code: 503 } });
      await afterwards();
    });

    it.each([
      ["truncated", '{"id"'],
      ["text", "Internal Server Error"],
    ])("wrong-json (%s), with 200", async (variant, beginning) => {
      await setFault(engine.url, { kind: "wrong-json", variant, times: 2 });
      const response = await post(engine.url, path, prompt);
      const text = await response.text();
      expect(response.status).toBe(200);
      expect(text.startsWith(beginning)).toBe(true);
      expect(() => JSON.parse(text)).toThrow();
      const stream = await (await post(engine.url, path, { ...prompt, stream: true })).text();
      expect(stream).not.toContain("[DONE]");
      await afterwards();
    });

    it.each(["rst", "fin"])("reset-in-headers (%s)", async (how) => {
      const connection = await strike({ kind: "reset-in-headers", how }, true);
      expect(await connection.ended).toBe(how === "rst" ? "ECONNRESET" : "end");
      expect(connection.text()).toBe("HTTP/1.1 200 OK\r\ncontent-ty");
      await afterwards();
    });

    it("drip, until nobody waits any more", async () => {
      const connection = await strike({ kind: "drip", delayMs: 1 }, false);
      await connection.until("HTTP/1.1 200 OK\r\nx-drip: --");
      connection.socket.destroy();
      await afterwards();
    });

    it("garbage, and the end of the connection", async () => {
      const connection = await strike({ kind: "garbage", how: "fin" }, false);
      expect(await connection.ended).toBe("end");
      expect(connection.text()).toBe("\0\0\0NONSENSE\r\n\r\n");
      await afterwards();
    });

    it.each([
      ["error", "application/json", '{"error":{'],
      ["html", "text/html", "<html>"],
      ["events", "text/event-stream; charset=utf-8", ": busy\n\n"],
      ["empty", "application/json", ""],
    ])("junk (%s), whatever was asked for", async (body, type, beginning) => {
      await setFault(engine.url, { kind: "junk", body, times: 2 });
      for (const stream of [true, false]) {
        const response = await post(engine.url, path, { ...prompt, stream });
        const text = await response.text();
        expect(response.status).toBe(200);
        expect(response.headers.get("content-type")).toBe(type);
        expect(text.startsWith(beginning)).toBe(true);
        expect(text).not.toContain("choices");
      }
      await afterwards();
    });

    it.each([
      [{ kind: "nonsense" }, /kind: .*garbage/],
      [{ kind: "junk", body: "xml" }, /body: /],
      [{ kind: "stall", chunk: 1 }, /chunk/],
    ])("%j is rejected, and sets nothing", async (fault, message) => {
      const response = await post(engine.url, "/debug/fault", fault);
      expect(response.status).toBe(400);
      expect(await response.text()).toMatch(message);
      await afterwards();
    });

    it("slow, and the client's patience counts as waiting", async () => {
      const connection = await strike({ kind: "slow", delayMs: 60_000 }, true);
      await eventually(async () => (await stateOf(engine.url)).waiting === 1);
      connection.socket.destroy();
      await eventually(async () => (await stateOf(engine.url)).waiting === 0);
      await setFault(engine.url, { kind: "slow", delayMs: 20, times: 1 });
      expect((await post(engine.url, path, prompt)).status).toBe(200);
      await afterwards();
    });

    it("on a path of its own, health included", async () => {
      await setFault(engine.url, { kind: "status", code: 500, path: "/health", times: 1 });
      expect((await post(engine.url, path, prompt)).status).toBe(200);
      expect((await fetch(`${engine.url}/health`)).status).toBe(500);
      expect((await fetch(`${engine.url}/health`)).status).toBe(200);
    });

    it("refuse: nobody listens, and the connection that set it ends it", async () => {
      const own = await start("--role", "mixed", ...fast);
      const idle = await openRaw(own.url);
      idle.socket.write(request(false));
      await idle.until('"kv_transfer_params"');
      const control = await openRaw(own.url);
      control.socket.write(postBytes("/debug/fault", { kind: "refuse" }));
      await control.until('"refuse"');
      await idle.ended;
      await expect(openRaw(own.url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
      control.socket.write("DELETE /debug/fault HTTP/1.1\r\nHost: e\r\n\r\n");
      await control.until("\r\n\r\n[]");
      await eventually(async () => (await openRaw(own.url).catch(() => undefined)) !== undefined);
      expect((await post(own.url, path, prompt)).status).toBe(200);
    });

    it("accept-then-close", async () => {
      const own = await start("--role", "mixed", ...fast, "--fault", "accept-then-close:times=2");
      for (let time = 0; time < 2; time++) {
        // The reset may come before this process has noticed that it is connected.
        const end = openRaw(own.url).then(({ ended }) => ended);
        expect(await end.catch((error: NodeJS.ErrnoException) => error.code)).toBe("ECONNRESET");
      }
      expect((await post(own.url, path, prompt)).status).toBe(200);
    });

    it("is refused when it is misspelt", async () => {
      expect((await post(engine.url, "/debug/fault", { kind: "stat" })).status).toBe(400);
      expect((await post(engine.url, "/debug/fault", { kind: "status", cod: 3 })).status).toBe(400);
      expect((await post(engine.url, "/debug/fault", "{")).status).toBe(400);
      await afterwards();
    });
  });

  it("what is not HTTP gets uvicorn's response", async () => {
    const connection = await openRaw(engine.url);
    connection.socket.write("NONSENSE\r\n\r\n");
    await connection.ended;
    expect(connection.text()).toContain("Invalid HTTP request received.");
  });

  it("SIGTERM and SIGINT end it cleanly, with requests under way", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const own = await startEngineProcess(runtime, ["--role", "mixed", "--itl-ms", "1000"]);
      const connection = await openRaw(own.url);
      connection.socket.write(request());
      await connection.until("HTTP/1.1 200");
      expect(await own.stop(signal)).toBe(0);
      await connection.ended;
    }
    function request(): string {
      return postBytes(path, { ...prompt, stream: true });
    }
  });

  it("says so when it cannot listen", async () => {
    const port = new URL(engine.url).port;
    await expect(startEngineProcess(runtime, ["--role", "mixed", "--port", port])).rejects.toThrow(
      /EADDRINUSE|in use/,
    );
  });
});

async function tokensOf(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/vllm:generation_tokens_total\{[^}]*\} (\S+)/.exec(text)?.[1]);
}
