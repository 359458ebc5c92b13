/** What SGLang engines do with legs that meet, and with those that do not. */
import { afterEach, describe, expect, it } from "vitest";
import { type EngineOptions, instantTiming } from "../../../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../../../src/simulated-engine/server.ts";
import { eventually } from "../../../support/eventually.ts";
import { eventsOf, post } from "../../http.ts";

const running: RunningEngine[] = [];

async function start(options: EngineOptions): Promise<RunningEngine> {
  const engine = await startEngine({ dialect: "sglang", ...instantTiming, ...options });
  running.push(engine);
  return engine;
}

async function startPair(dialect = "sglang", options: Partial<EngineOptions> = {}) {
  const prefill = await start({ role: "prefill", dialect, ...options });
  const decode = await start({ role: "decode", dialect, ...options });
  const response = await fetch(`${prefill.url}/server_info`);
  const info = (await response.json()) as { disaggregation_bootstrap_port: number };
  return { prefill, decode, port: info.disaggregation_bootstrap_port };
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((engine) => engine.close()));
});

const path = "/v1/completions";
const completion = { model: "simulated", prompt: "Tell me of the sea", max_tokens: 20 };
/** No double holds it. */
const room = "9223372036854775807";

/** As a proxy sends it: fields behind the client's own, the room by its digits. */
function meeting(body: object, port: number, rooms: string | string[] = room, more = ""): string {
  const each = (value: string) =>
    Array.isArray(rooms) ? `[${rooms.map(() => value).join()}]` : value;
  const number = Array.isArray(rooms) ? `[${rooms.join()}]` : rooms;
  return `${JSON.stringify(body).slice(0, -1)}${more},"bootstrap_host":${each('"127.0.0.1"')},"bootstrap_port":${each(`${port}`)},"bootstrap_room":${number}}`;
}

describe.each([
  ["a prompt", path, completion, room],
  ["a chat", "/v1/chat/completions", { messages: [{ role: "user", content: "sea" }] }, room],
  ["prompts", path, { ...completion, prompt: ["one", "two"] }, [room, "5"]],
  ["several answers", path, { ...completion, n: 3 }, ["1", "2", room]],
])("two legs of %s that meet", (_name, at, body, rooms) => {
  it.each([true, false])(
    "give the very answer of one engine alone (stream: %s)",
    async (stream) => {
      const { prefill, decode, port } = await startPair();
      const id = { "x-request-id": "one" };
      const request = { ...body, max_tokens: 20, stream };
      const text = meeting(request, port, rooms);
      const [response, first] = await Promise.all([
        post(decode.url, at, text, id),
        post(prefill.url, at, meeting({ ...request, stream: false }, port, rooms), id),
      ]);
      const alone = await start({ role: "mixed" });
      expect(await response.text()).toBe(await (await post(alone.url, at, request, id)).text());
      // It stops by itself, whatever the client asked for.
      const { usage, choices } = (await first.json()) as { usage: object; choices: unknown[] };
      expect(usage).toMatchObject({ completion_tokens: choices.length });
      expect(decode.state()).toMatchObject({ remotePrefills: 1, protocolViolations: 0 });
      expect(prefill.state()).toMatchObject({ protocolViolations: 0, rendezvousWaiting: 0 });
    },
  );
});

describe("who comes alone", () => {
  it.each(["prefill", "decode"] as const)(
    "%s: waits until its time is up, and fails",
    async (role) => {
      const dialect = "sglang:bootstrapTimeoutMs=150,waitingTimeoutMs=150";
      const pair = await startPair(dialect);
      const response = await post(pair[role].url, path, meeting(completion, pair.port));
      expect(response.status).toBe(500);
      expect(await response.text()).toContain("KVTransferError");
      expect(pair.prefill.state()).toMatchObject({ rendezvousWaiting: 0, rendezvousTimedOut: 1 });
      expect(pair.decode.state().remotePrefills).toBe(0);
    },
  );

  it("in a stream: its failure is an event behind a 200", async () => {
    const { decode, port } = await startPair("sglang:waitingTimeoutMs=100");
    const body = meeting({ ...completion, stream: true }, port);
    const response = await post(decode.url, path, body);
    expect(response.status).toBe(200);
    expect(eventsOf(await response.text())[0]).toContain("Decode transfer failed");
  });

  it.each([
    ["by another room", (text: string) => text.replace(room, "9223372036854775806")],
    ["by another rank", (text: string) => text.replace("{", '{"disagg_prefill_dp_rank":3,')],
  ])("%s: does not meet the other", async (_name, change) => {
    const dialect = "sglang:bootstrapTimeoutMs=150,waitingTimeoutMs=150";
    const { prefill, decode, port } = await startPair(dialect);
    const text = meeting(completion, port);
    const answers = await Promise.all([
      post(decode.url, path, change(text)),
      post(prefill.url, path, text),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([500, 500]);
  });

  it("hears when the other's client goes in the middle of it", async () => {
    const { prefill, decode, port } = await startPair("sglang", { prefillTokensPerSecond: 1 });
    const client = new AbortController();
    const text = meeting(completion, port);
    const headers = { "content-type": "application/json" };
    const first = fetch(prefill.url + path, {
      method: "POST",
      headers,
      body: text,
      signal: client.signal,
    }).catch(() => {});
    const response = post(decode.url, path, text);
    await eventually(() => prefill.state().running === 1);
    client.abort();
    await first;
    expect((await response).status).toBe(500);
    expect(decode.state()).toMatchObject({ failed: 1, waiting: 0, running: 0 });
  });

  it("is ended by /abort_request", async () => {
    const { prefill, port } = await startPair();
    const response = post(prefill.url, path, meeting({ ...completion, rid: "mine" }, port));
    await eventually(() => prefill.state().waiting === 1);
    expect((await post(prefill.url, "/abort_request", { rid: "another" })).status).toBe(200);
    expect(prefill.state().waiting).toBe(1);
    await post(prefill.url, "/abort_request", { rid: "mine" });
    expect((await response).status).toBe(400);
    expect(prefill.state()).toMatchObject({ waiting: 0, rendezvousWaiting: 0 });
  });
});

it.each([
  ["no room", completion, "", 400],
  ["a room out of range", completion, "9223372036854775808", 400],
  ["one room for two answers", { ...completion, n: 2 }, "7", 400],
  ["a list for one prompt", completion, ["7"], 400],
])("%s is refused and counted: a proxy never does that", async (_name, body, rooms, status) => {
  const { prefill, port } = await startPair();
  const text = rooms === "" ? JSON.stringify(body) : meeting(body, port, rooms);
  expect((await post(prefill.url, path, text)).status).toBe(status);
  expect(prefill.state().protocolViolations).toBe(1);
});

it("a room that is used again is counted", async () => {
  const { prefill, decode, port } = await startPair("sglang:bootstrapTimeoutMs=50");
  const text = meeting(completion, port);
  await Promise.all([post(decode.url, path, text), post(prefill.url, path, text)]);
  await post(prefill.url, path, text);
  expect(prefill.state().violations).toEqual([`Room ${room} was used before.`]);
});

describe("the bootstrap server", () => {
  const query = "prefill_dp_rank=-1&prefill_cp_rank=-1&target_tp_rank=-1&target_pp_rank=-1";

  it("responds with 503 until all ranks are registered, then how many there are", async () => {
    const { port } = await startPair("sglang:dpSize=2,registerMs=600000");
    const url = `http://127.0.0.1:${port}`;
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect((await fetch(`${url}/route`)).status).toBe(400);
    for (const rank of [0, 1]) {
      expect((await fetch(`${url}/route?${query}`)).status, `${rank}`).toBe(503);
      await fetch(`${url}/route`, { method: "PUT", body: "{}" });
    }
    const route = await fetch(`${url}/route?${query}`);
    expect(await route.json()).toMatchObject({ dp_size: 2, follow_bootstrap_room: true });
  });

  it("remembers the ranks of rooms", async () => {
    const { port } = await startPair();
    const url = `http://127.0.0.1:${port}`;
    await post(url, "/register_dp_rank", { bootstrap_room: 7, dp_rank: 3 });
    const response = await post(url, "/query_dp_ranks", { bootstrap_rooms: [7, 8] });
    expect(await response.json()).toEqual({ 7: 3 });
  });

  it("lets a room's rank be known by the room, or by the fields", async () => {
    const { prefill, decode, port } = await startPair("sglang:dpSize=4");
    const byRoom = meeting(completion, port, "10");
    const byField = (name: string) => meeting(completion, port, "11", `,"${name}":1`);
    const pairs = [
      [byRoom, meeting(completion, port, "10", `,"routed_dp_rank":2`)],
      [byField("disagg_prefill_dp_rank"), byField("routed_dp_rank")],
    ] as const;
    for (const [toDecode, toPrefill] of pairs) {
      const answers = await Promise.all([
        post(decode.url, path, toDecode),
        post(prefill.url, path, toPrefill),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    }
  });
});

it("engines tell what they are", async () => {
  const { prefill, decode } = await startPair("sglang:dpSize=2");
  const ask = async ({ url }: RunningEngine, at: string) => (await fetch(url + at)).json();
  expect(await ask(prefill, "/get_server_info")).toMatchObject({
    disaggregation_mode: "prefill",
    dp_size: 2,
    load_balance_method: "follow_bootstrap_room",
  });
  expect(await ask(decode, "/server_info")).toMatchObject({ disaggregation_mode: "decode" });
  expect(await ask(decode, "/model_info")).toMatchObject({ model_path: "simulated" });
  const { loads } = (await ask(decode, "/v1/loads")) as { loads: unknown[] };
  expect(loads).toHaveLength(2);
  expect((await fetch(`${decode.url}/health_generate`)).status).toBe(200);
});
