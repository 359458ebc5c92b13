/**
 * trtllm where its way ends early: with the first token, with a context that fails, and with one that transfers
 * nothing.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { post } from "../../support/http-client.ts";
import { oneRuntime } from "../../support/runtimes.ts";
import { type Engine, instant, type ServingProxy, Stack } from "../../support/stack.ts";

const completions = "/v1/completions";
const chat = "/v1/chat/completions";
const text = "Tell me of the sea";
const messages = [{ role: "user", content: text }];

interface Fleet {
  readonly context: Engine;
  readonly generation: Engine;
  readonly proxy: ServingProxy;
}

async function startFleet(stack: Stack, dialect: string, ...switches: string[]): Promise<Fleet> {
  const engine = [...instant, "--dialect", "trtllm", ...switches];
  const [[context], [generation]] = await Promise.all([
    stack.startEngines("prefill", 1, engine),
    stack.startEngines("decode", 1, engine),
  ]);
  const proxy = await stack.startByFlags([context!], [generation!], "--dialect", dialect);
  return { context: context!, generation: generation!, proxy };
}

/** A context server that answers when a test says so, and lets generation servers wait. */
class Scripted {
  /** The context that waits for its response. */
  waiting: ServerResponse | undefined;
  asks = 0;
  #fails: ((response: ServerResponse) => void) | undefined;
  readonly #server = createServer((request, response) => this.#take(request, response));

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${this.#port}`;
  }

  /** This context, and those of further tries. */
  fail(how: (response: ServerResponse) => void): void {
    this.#fails = how;
    how(this.waiting!);
  }

  forget(): void {
    this.waiting = undefined;
    this.asks = 0;
    this.#fails = undefined;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #wait(response: ServerResponse): void {
    this.waiting = response;
    this.#fails?.(response);
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    request.resume().on("end", () => {
      if (request.url === "/kv/ask") this.asks += 1;
      else if (request.url === completions) this.#wait(response);
      else {
        const params = { ctx_info_endpoint: [`tcp://127.0.0.1:${this.#port}`] };
        response.end(JSON.stringify({ disaggregated_params: params }));
      }
    });
  }
}

interface Event {
  readonly choices: {
    readonly text?: string;
    readonly delta?: { readonly content?: string };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: object | null;
}

/** What a client makes of a stream. */
function read(body: string) {
  const data = body.split("\n\n").filter((event) => event !== "");
  expect(data.pop()).toBe("data: [DONE]");
  const events = data.map((event) => JSON.parse(event.replace(/^data: /, "")) as Event);
  const choices = events.flatMap((event) => event.choices);
  return {
    text: choices.map(({ text: of, delta }) => of ?? delta?.content ?? "").join(""),
    reasons: choices.map(({ finish_reason: of }) => of).filter((of) => of !== null),
    usage: events.at(-1)!.usage,
  };
}

describe.each(oneRuntime("trtllm-ends"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  afterAll(() => stack.end());

  describe.each(["trtllm", "trtllm-gen-first"])("%s, first tokens that are the last", (dialect) => {
    let fleet: Fleet;
    let direct: Engine;
    beforeAll(async () => {
      fleet = await startFleet(stack, dialect, "--eos-after-tokens", "1");
      const one = [...instant, "--eos-after-tokens", "1"];
      direct = (await stack.startEngines("mixed", 1, one))[0]!;
    });

    test.each([
      [completions, { prompt: text, max_tokens: 9 }],
      [chat, { messages, max_tokens: 9 }],
    ])("%s: the client gets that token, in one piece and streamed", async (path, body) => {
      const expected = JSON.parse((await post(direct.url + path, body)).body);
      const response = await post(fleet.proxy.url + path, body);
      expect(response).toMatchObject({ status: 200, end: "whole" });
      const { id: _, prompt_token_ids: __, ...rest } = JSON.parse(response.body);
      const { id: ___, prompt_token_ids: ____, ...same } = expected;
      const [choice] = rest.choices;
      expect(choice.disaggregated_params ?? null).toBeNull();
      delete choice.disaggregated_params;
      expect(rest).toEqual(same);

      const options = { stream: true, stream_options: { include_usage: true } };
      const streamed = await post(fleet.proxy.url + path, { ...body, ...options });
      expect(streamed).toMatchObject({ status: 200, end: "whole" });
      expect(streamed.headers["content-type"]).toMatch(/^text\/event-stream/);
      expect(read(streamed.body)).toEqual(
        read((await post(direct.url + path, { ...body, ...options })).body),
      );
      await stack.settled([fleet.context, fleet.generation]);
    });

    test("generation gets a request only where it has to wait for the context", async () => {
      const state = await fleet.generation.state();
      expect(state).toMatchObject({ protocolViolations: 0 });
      if (dialect === "trtllm") expect(state.requestsSeen).toBe(0);
      else expect(state.remotePrefills).toBeGreaterThan(0);
    });
  });

  describe("generation first, a context that fails while generation waits for it", () => {
    const context = new Scripted();
    let generation: Engine;
    let proxy: ServingProxy;
    beforeAll(async () => {
      const [url, [engine]] = await Promise.all([
        context.listen(),
        stack.startEngines("decode", 1, [...instant, "--dialect", "trtllm"]),
      ]);
      generation = engine!;
      const words = ["--dialect", "trtllm-gen-first", "--prefill", url, "--decode", generation.url];
      proxy = await stack.startProxy(...words, "--listen", "127.0.0.1:0");
    });
    afterAll(() => context.close());

    test.each([
      ["answers 500", true, 500, (response: ServerResponse) => response.writeHead(500).end("{}")],
      ["answers 400", false, 400, (response: ServerResponse) => response.writeHead(400).end("{}")],
      ["breaks off", true, 502, (response: ServerResponse) => response.destroy()],
    ])("%s: that is the client's, and generation is cancelled", async (_, stream, status, fail) => {
      const { aborted: before } = await generation.state();
      const asked = post(proxy.url + completions, { prompt: text, stream });
      // Generation alone would wait for its 60 s.
      await eventually(async () => (await generation.state()).waiting === 1);
      await eventually(() => context.waiting !== undefined && context.asks > 0);
      context.fail(fail);
      expect((await asked).status).toBe(status);
      await eventually(async () => {
        const { waiting, aborted } = await generation.state();
        return waiting === 0 && aborted.waiting > before.waiting;
      });
      context.forget();
    });
  });

  describe("contexts that fail", () => {
    let fleets: readonly Fleet[];
    beforeAll(async () => {
      fleets = await Promise.all(
        ["trtllm", "trtllm-gen-first"].map((dialect) => startFleet(stack, dialect)),
      );
    });
    afterEach(async () => {
      await Promise.all(fleets.map(({ context }) => context.clearFaults()));
    });

    test("context first: no transfer parameters is an error, and no prompt is computed twice", async () => {
      const { context, generation, proxy } = fleets[0]!;
      const { requestsSeen } = await generation.state();
      await context.setFault({ kind: "no-kv-params" });
      const response = await post(proxy.url + completions, { prompt: text });
      expect(response.status).toBe(502);
      expect((await generation.state()).requestsSeen).toBe(requestsSeen);
    });

    test("a client's own transfer parameters reach no engine", async () => {
      const poison = { request_type: "generation_only", ctx_info_endpoint: "tcp://10.0.0.9:1" };
      for (const { context, generation, proxy } of fleets) {
        const body = { prompt: text, max_tokens: 4, disaggregated_params: poison };
        const response = await post(proxy.url + completions, body);
        expect(response.status).toBe(200);
        // Computed by generation alone: it is a list of two.
        const several = { ...body, prompt: [text, text] };
        expect((await post(proxy.url + completions, several)).status).toBe(200);
        for (const engine of [context, generation]) {
          for (const { body: seen } of await engine.requests()) {
            expect(JSON.stringify(seen)).not.toContain("10.0.0.9");
          }
          expect(await engine.state()).toMatchObject({ protocolViolations: 0 });
        }
      }
    });
  });
});
