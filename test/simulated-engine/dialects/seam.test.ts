/** What the core does for a dialect, shown with one made up for the purpose. */
import { afterEach, describe, expect, it } from "vitest";
import type {
  Acquired,
  Dialect,
  EngineContext,
  EngineDialect,
  Leg,
} from "../../../src/simulated-engine/dialects/dialect.ts";
import { RequestError } from "../../../src/simulated-engine/http/request-error.ts";
import { instantTiming } from "../../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../../src/simulated-engine/server.ts";
import { eventually } from "../../support/eventually.ts";
import { eventsOf, post } from "../http.ts";

let engine: RunningEngine;
afterEach(() => engine.close());

async function start(
  leg: (engine: EngineContext) => Leg,
  more: (engine: EngineContext) => Partial<EngineDialect> = () => ({}),
): Promise<RunningEngine> {
  const dialect: Dialect = {
    name: "made-up",
    roles: ["mixed"],
    create: (context) => ({ kvLeaseMs: 1_000, leg: () => leg(context), ...more(context) }),
  };
  engine = await startEngine({ role: "mixed", dialect, ...instantTiming });
  return engine;
}

const body = { prompt: "Tell me of the sea", max_tokens: 5 };

interface ClientResponse {
  readonly choices: { text: string; finish_reason: string; stop_reason: string | null }[];
  readonly usage: { completion_tokens: number };
}

async function complete(changes: object = {}): Promise<ClientResponse> {
  const response = await post(engine.url, "/v1/completions", { ...body, ...changes });
  return (await response.json()) as ClientResponse;
}

/** Texts and reasons of a stream's events. */
async function stream(): Promise<ClientResponse["choices"]> {
  const response = await post(engine.url, "/v1/completions", { ...body, stream: true });
  const events = eventsOf(await response.text());
  expect(events.at(-1)).toBe("[DONE]");
  return events.slice(0, -1).map((event) => (JSON.parse(event) as ClientResponse).choices[0]!);
}

describe("a leg", () => {
  it("without anything computes and responds", async () => {
    await start(() => ({}));
    expect((await complete()).choices[0]!.text.split(" ")).toHaveLength(5);
  });

  it("may end the response after its own number of tokens", async () => {
    await start(() => ({ tokensMax: 1 }));
    const { choices, usage } = await complete({ min_tokens: 5 });
    expect([choices[0]!.finish_reason, usage.completion_tokens]).toEqual(["length", 1]);
  });

  it.each([true, false])(
    "may give up early, with its own reasons (first token: %s)",
    async (firstToken) => {
      const end = { afterTokens: 2, finishReason: "stop", stopReason: "recomputed" };
      const kv: Acquired = { kv: "remote", firstToken, end };
      await start(() => ({ acquire: async () => kv }));
      const { choices, usage } = await complete();
      expect(choices[0]).toMatchObject({ finish_reason: "stop", stop_reason: "recomputed" });
      expect([choices[0]!.text.split(" ").length, usage.completion_tokens]).toEqual([2, 2]);
      const events = await stream();
      expect(events.map(({ text }) => text).join("")).toBe(choices[0]!.text);
      expect(events.at(-1)).toMatchObject({ text: "", stop_reason: "recomputed" });
      expect(engine.state().remotePrefills).toBe(2);
    },
  );

  it("may have no response at all to give", async () => {
    const end = { afterTokens: 0, finishReason: "cache_threshold", stopReason: null };
    await start(() => ({ acquire: async () => ({ kv: "local", end }) }));
    expect(await complete()).toMatchObject({
      choices: [{ text: "", finish_reason: "cache_threshold" }],
      usage: { completion_tokens: 0 },
    });
    expect(engine.state().remotePrefills).toBe(0);
  });

  it.each([true, false])(
    "adds to the answer, to its choices and to its headers (later: %s)",
    async (later) => {
      const extras = {
        top: { prompt_token_ids: "[1,2]", more: '{"a":9007199254740993}' },
        choice: { disaggregated_params: "{}" },
        headers: ["x-more", "yes"],
      };
      await start(() => ({ deliver: () => (later ? Promise.resolve(extras) : extras) }));
      const response = await post(engine.url, "/v1/completions", body);
      expect(response.headers.get("x-more")).toBe("yes");
      const text = await response.text();
      expect(text).toContain(
        '"kv_transfer_params":null,"prompt_token_ids":[1,2],"more":{"a":9007199254740993}}',
      );
      expect(JSON.parse(text)).toMatchObject({ choices: [{ disaggregated_params: {} }] });
    },
  );

  it("hears why the response ends", async () => {
    const reasons: string[] = [];
    await start(() => ({
      deliver({ reason }) {
        reasons.push(reason);
        return {};
      },
    }));
    await complete();
    await complete({ stop: [" "] });
    expect(reasons).toEqual(["length", "stop"]);
  });
});

describe("an error of the KV transfer", () => {
  const refusal = new RequestError(503, "ServiceUnavailableError", "No KV.");

  it("refuses the request when it is known at once", async () => {
    await start(() => {
      throw refusal;
    });
    expect((await post(engine.url, "/v1/completions", body)).status).toBe(503);
    expect(engine.state()).toMatchObject({ failed: 0, running: 0 });
  });

  it.each(["acquire", "deliver"] as const)(
    "in %s is the answer, or the end of the stream",
    async (step) => {
      await start(() => ({ [step]: () => Promise.reject(refusal) }));
      expect((await post(engine.url, "/v1/completions", body)).status).toBe(503);
      const response = await post(engine.url, "/v1/completions", { ...body, stream: true });
      const events = eventsOf(await response.text());
      expect(events.at(-1)).toBe("[DONE]");
      expect(JSON.parse(events.at(-2)!)).toMatchObject({ error: { code: 503, message: "No KV." } });
      expect(engine.state()).toMatchObject({ failed: 2, running: 0, waiting: 0 });
    },
  );
});

describe("two sides that meet", () => {
  async function startMeeting(timeoutMs: number): Promise<void> {
    await start(
      () => ({}),
      (context) => {
        const arrivals = context.newRendezvous<string>();
        return {
          leg: () => ({
            async acquire(gone) {
              const reason = await arrivals.wait("room", timeoutMs, gone);
              return { kv: "recompute", reason };
            },
          }),
          sideRoutes: {
            "POST /arrive": ({ body: arrival }) => {
              arrivals.offer("room", (arrival as { reason: string }).reason, 1_000);
              return { status: 200, json: "{}" };
            },
          },
          routes: {
            "GET /version": ({ query }) => ({ status: 200, json: JSON.stringify(query.get("q")) }),
            "GET /arrive-here": async () => {
              const url = `http://${context.address.host}:${context.address.sidePort}/arrive`;
              const response = await context.peers.call(url, { body: { reason: "why" } });
              return { status: response?.status ?? 500, json: "{}" };
            },
          },
        };
      },
    );
  }

  it("show who waits, and go on when the other comes", async () => {
    await startMeeting(60_000);
    const response = complete();
    await eventually(() => engine.state().rendezvousWaiting === 1);
    expect(engine.state()).toMatchObject({ rendezvousNames: ["room"], waiting: 1 });
    expect((await fetch(`${engine.url}/arrive-here`)).status).toBe(200);
    expect((await response).choices).toHaveLength(1);
    expect(engine.state()).toMatchObject({ rendezvousWaiting: 0, recomputed: { why: 1 } });
  });

  it("fail the request when nobody comes in time", async () => {
    await startMeeting(20);
    const response = await post(engine.url, "/v1/completions", body);
    expect(response.status).toBe(500);
    expect(engine.state()).toMatchObject({
      rendezvousWaiting: 0,
      rendezvousTimedOut: 1,
      failed: 1,
    });
  });

  it("forget a client that has gone", async () => {
    await startMeeting(60_000);
    const client = new AbortController();
    const response = fetch(`${engine.url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: client.signal,
    }).catch(() => {});
    await eventually(() => engine.state().rendezvousWaiting === 1);
    client.abort();
    await response;
    await eventually(() => engine.state().rendezvousWaiting === 0);
    expect(engine.state()).toMatchObject({
      aborted: { waiting: 1 },
      failed: 0,
      rendezvousTimedOut: 0,
    });
  });

  it("a dialect's own path comes before the engine's", async () => {
    await startMeeting(0);
    expect(await (await fetch(`${engine.url}/version?q=a`)).json()).toBe("a");
  });
});

describe("a dialect", () => {
  it("hears when the engine listens and when it closes", async () => {
    const heard: unknown[] = [];
    await start(
      () => ({}),
      ({ address }) => ({
        start: () => heard.push(address.port > 0),
        close: () => heard.push("closed"),
      }),
    );
    await engine.close();
    expect(heard).toEqual([true, "closed"]);
  });

  it("has its violations counted, and the last of them shown", async () => {
    await start((context) => {
      context.violation("not so");
      return {};
    });
    for (let time = 0; time < 103; time++) await complete();
    expect(engine.state()).toMatchObject({ protocolViolations: 103 });
    expect(engine.state().violations).toEqual(new Array(100).fill("not so"));
  });
});
