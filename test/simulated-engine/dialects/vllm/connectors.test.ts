/** That the engines of Mooncake, P2P NCCL and MoRI-IO find out a proxy that does not keep to the protocol. */
import { afterEach, describe, expect, it } from "vitest";
import { type EngineOptions, instantTiming } from "../../../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../../../src/simulated-engine/server.ts";
import { eventually } from "../../../support/eventually.ts";
import { post } from "../../http.ts";

const running: RunningEngine[] = [];

async function start(options: EngineOptions): Promise<RunningEngine> {
  const engine = await startEngine({ ...instantTiming, ...options });
  running.push(engine);
  return engine;
}

async function pairOf(dialect: string, options: Partial<EngineOptions> = {}) {
  return {
    prefill: await start({ role: "prefill", dialect, ...options }),
    decode: await start({ role: "decode", dialect, ...options }),
  };
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((engine) => engine.close()));
});

const path = "/v1/completions";
const completion = { prompt: "Tell me of the sea", max_tokens: 20 };
const one = { ...completion, max_tokens: 1, min_tokens: 1 };
const hex = "0123456789abcdef0123456789abcdef";
const held = { do_remote_decode: true, do_remote_prefill: false };
const fetched = { do_remote_decode: false, do_remote_prefill: true };

async function ask(engine: RunningEngine, body: object, id = "one") {
  const response = await post(engine.url, path, body, { "x-request-id": id });
  return { status: response.status, text: await response.text() };
}

async function alone(): Promise<string> {
  const mixed = await start({ role: "mixed", dialect: "omni" });
  return (await ask(mixed, completion)).text;
}

const withoutId = (text: string) => text.replace(/"id":"[^"]*"/, "");

describe("vllm-mooncake", () => {
  const sourceOf = (prefill: RunningEngine, transfer_id = "xfer-1") => ({
    ...fetched,
    remote_bootstrap_addr: `http://127.0.0.1:${prefill.sidePort}`,
    remote_engine_id: prefill.engineId,
    transfer_id,
  });
  const parked = { ...one, kv_transfer_params: { ...held, transfer_id: "xfer-1" } };

  it.each([true, false])("engines meet whoever comes first (decode: %s)", async (decodeFirst) => {
    const { prefill, decode } = await pairOf("vllm-mooncake");
    const body = { ...completion, kv_transfer_params: sourceOf(prefill) };
    const early = decodeFirst ? ask(decode, body) : undefined;
    if (decodeFirst) await eventually(() => prefill.state().rendezvousWaiting === 1);
    expect(JSON.parse((await ask(prefill, parked)).text).kv_transfer_params ?? null).toBeNull();
    const { text } = await (early ?? ask(decode, body));
    expect(withoutId(text)).toBe(withoutId(await alone()));
    expect(decode.state()).toMatchObject({ remotePrefills: 1, protocolViolations: 0 });
    expect(prefill.state()).toMatchObject({ held: 0, fetched: 1, protocolViolations: 0 });
  });

  it.each(["transfer_id", "remote_engine_id", "remote_bootstrap_addr", "do_remote_prefill"])(
    "decode recomputes in silence without %s",
    async (key) => {
      const { prefill, decode } = await pairOf("vllm-mooncake");
      await ask(prefill, parked);
      const params = { ...sourceOf(prefill), [key]: undefined };
      expect((await ask(decode, { ...completion, kv_transfer_params: params })).status).toBe(200);
      expect(decode.state().recomputed.missing_params).toBe(1);
      expect(prefill.state().held).toBe(1);
    },
  );

  it.each([
    ["another engine's id", { remote_engine_id: "of-its-life-before" }, "unknown_engine"],
    ["nobody there", { remote_bootstrap_addr: "http://127.0.0.1:1" }, "unknown_engine"],
    ["an id that nobody parks under", { transfer_id: "xfer-2" }, "timed_out"],
  ])("decode fails, or recomputes if told to: %s", async (_, changes, reason) => {
    const settings = "timeoutMs=50";
    const { prefill, decode } = await pairOf(`vllm-mooncake:${settings}`, { kvLeaseMs: 60_000 });
    await ask(prefill, parked);
    const body = { ...completion, kv_transfer_params: { ...sourceOf(prefill), ...changes } };
    const { status, text } = await ask(decode, body);
    expect(status).toBe(500);
    expect(text).toContain(reason);
    const dialect = `vllm-mooncake:${settings},loadFailure=recompute`;
    const patient = await start({ role: "decode", dialect });
    expect((await ask(patient, body)).status).toBe(200);
    expect(patient.state().recomputed[reason]).toBe(1);
  });

  it("a prefill that ends with its first token leaves decode to wait, which min_tokens prevents", async () => {
    const { prefill, decode } = await pairOf("vllm-mooncake:timeoutMs=500", { eosAfterTokens: 1 });
    await ask(prefill, { ...parked, min_tokens: 0 });
    expect(prefill.state().stored).toBe(0);
    const body = { ...completion, kv_transfer_params: sourceOf(prefill) };
    expect((await ask(decode, body)).text).toContain("timed_out");
    await ask(prefill, { ...parked, kv_transfer_params: { ...held, transfer_id: "xfer-2" } });
    const params = sourceOf(prefill, "xfer-2");
    expect((await ask(decode, { ...completion, kv_transfer_params: params })).status).toBe(200);
  });

  it.each([
    [{ kv_transfer_params: held }, "no transfer id"],
    [{ kv_transfer_params: undefined }, "not ask to hold"],
    [{ kv_transfer_params: { ...fetched, transfer_id: "t" } }, "to fetch KV"],
    [{ max_tokens: 2 }, "not for one token"],
    [{ n: 2 }, "more than one choice"],
  ])("prefill tells of a request with %j", async (changes, violation) => {
    const { prefill } = await pairOf("vllm-mooncake");
    await ask(prefill, { ...parked, ...changes });
    expect(prefill.state().violations.join()).toContain(violation);
  });

  it("prefill tells of a transfer id that comes twice", async () => {
    const { prefill } = await pairOf("vllm-mooncake");
    for (const violations of [0, 1]) {
      await ask(prefill, parked);
      expect(prefill.state().protocolViolations).toBe(violations);
    }
  });

  it("a decode that goes away frees what prefill parks afterwards", async () => {
    const { prefill, decode } = await pairOf("vllm-mooncake");
    const gone = new AbortController();
    const body = JSON.stringify({ ...completion, kv_transfer_params: sourceOf(prefill) });
    const headers = { "content-type": "application/json" };
    const { signal } = gone;
    const request = fetch(decode.url + path, { method: "POST", headers, body, signal });
    await eventually(() => prefill.state().rendezvousWaiting === 1);
    gone.abort();
    await expect(request).rejects.toThrow();
    await eventually(() => decode.state().running + decode.state().waiting === 0);
    await eventually(() => prefill.state().rendezvousWaiting === 0);
    await ask(prefill, parked);
    await eventually(() => prefill.state().released === 1 && prefill.state().held === 0);
  });

  it.each([
    ["", 200],
    ["one-of-its-own", 500],
    [",randomIds=true", 500],
  ])(
    "the older generation knows the KV by its id of the request (%s): %i",
    async (what, status) => {
      const isSetting = what.startsWith(",");
      const dialect = `vllm-mooncake:generation=older,timeoutMs=1000${isSetting ? what : ""}`;
      const { prefill, decode } = await pairOf(dialect);
      await ask(prefill, { ...one, kv_transfer_params: held });
      const params = {
        ...fetched,
        bootstrap_server_host: "127.0.0.1",
        bootstrap_server_port: prefill.sidePort,
      };
      const id = what === "" || isSetting ? "one" : what;
      const response = await ask(decode, { ...completion, kv_transfer_params: params }, id);
      expect(response.status).toBe(status);
    },
  );
});

describe("vllm-p2p-nccl", () => {
  const idOf = (prefill: RunningEngine, decode: RunningEngine) =>
    `___prefill_addr_127.0.0.1:${prefill.sidePort}___decode_addr_127.0.0.1:${decode.sidePort}_${hex}`;

  it("prefill pushes to the engine that the id names, which decodes", async () => {
    const { prefill, decode } = await pairOf("vllm-p2p-nccl");
    const id = idOf(prefill, decode);
    await ask(prefill, one, id);
    expect(decode.state().held).toBe(1);
    const { text } = await ask(decode, completion, id);
    expect(withoutId(text)).toBe(withoutId(await alone()));
    expect(decode.state()).toMatchObject({ remotePrefills: 1, held: 0, protocolViolations: 0 });
    expect(prefill.state().protocolViolations).toBe(0);
  });

  it.each([
    ["vLLM 0.14 and later, whose ids no two engines share", "randomIds=true,", ""],
    ["an id of its own for each leg", "", "f"],
  ])("decode waits in vain: %s", async (_, settings, suffix) => {
    const dialect = `vllm-p2p-nccl:${settings}receiveTimeoutMs=50`;
    const { prefill, decode } = await pairOf(dialect);
    await ask(prefill, one, idOf(prefill, decode));
    expect((await ask(decode, completion, idOf(prefill, decode) + suffix)).text).toContain(
      "No KV has come (timed_out)",
    );
  });

  it.each(["prefill", "decode"] as const)("%s fails over an id without addresses", async (role) => {
    const engine = await start({ role, dialect: "vllm-p2p-nccl" });
    const { status, text } = await ask(engine, role === "prefill" ? one : completion);
    expect(status).toBe(500);
    expect(text).toContain("does not contain hostname and port");
    expect(engine.state().protocolViolations).toBe(1);
  });
});

describe.each(["moriio-read", "moriio-write"])("%s", (dialect) => {
  const address = (engine: RunningEngine) =>
    `host:127.0.0.1,handshake:6301,notify:${engine.sidePort}`;
  const idOf = (prefill: RunningEngine, decode: RunningEngine) =>
    `___prefill_addr_${address(prefill)}___decode_addr_${address(decode)}_${hex}`;
  const nothing = { remote_engine_id: null, remote_block_ids: null };
  const parked = { ...one, kv_transfer_params: { ...held, ...nothing, transfer_id: "tx-1" } };

  it("engines meet by the transfer id, at the address in the request id", async () => {
    const { prefill, decode } = await pairOf(dialect);
    const id = idOf(prefill, decode);
    const said = JSON.parse((await ask(prefill, parked, id)).text).kv_transfer_params;
    const { remote_engine_id, remote_block_ids } = said;
    const where = dialect === "moriio-read" ? { remote_engine_id, remote_block_ids } : nothing;
    const params = { ...fetched, ...where, transfer_id: "tx-1" };
    const { text } = await ask(decode, { ...completion, kv_transfer_params: params }, id);
    expect(withoutId(text)).toBe(withoutId(await alone()));
    expect(decode.state()).toMatchObject({ remotePrefills: 1, protocolViolations: 0 });
    expect(prefill.state()).toMatchObject({ held: 0, fetched: 1, protocolViolations: 0 });
  });

  it.each([
    ["no parameters", undefined, "do_remote_prefill"],
    ["no prefix of the transfer id", { ...fetched, transfer_id: "1" }, "begins with tx"],
  ])(
    "decode fails over a request with %s, where the real one answers nonsense",
    async (_, params, words) => {
      const { prefill, decode } = await pairOf(dialect);
      const body = { ...completion, kv_transfer_params: params };
      const { status, text } = await ask(decode, body, idOf(prefill, decode));
      expect([status, text]).toEqual([500, expect.stringContaining(words)]);
      expect(decode.state().protocolViolations).toBe(1);
    },
  );

  it.each(["one", `___prefill_addr_127.0.0.1:1___decode_addr_127.0.0.1:2_${hex}`])(
    "both fail over the id %s",
    async (id) => {
      const { prefill, decode } = await pairOf(dialect);
      const params = {
        ...fetched,
        remote_engine_id: "e",
        remote_block_ids: [1],
        transfer_id: "tx-1",
      };
      for (const [engine, body] of [
        [prefill, parked],
        [decode, { ...completion, kv_transfer_params: params }],
      ] as const) {
        expect((await ask(engine, body, id)).text).toContain("Cannot parse peer zmq_address");
        expect(engine.state().protocolViolations).toBe(1);
      }
    },
  );
});

it("moriio-read fails over blocks that were touched on the way", async () => {
  const { prefill, decode } = await pairOf("moriio-read");
  const addressOf = (engine: RunningEngine) =>
    `host:127.0.0.1,handshake:1,notify:${engine.sidePort}`;
  const id = `___prefill_addr_${addressOf(prefill)}___decode_addr_${addressOf(decode)}_${hex}`;
  await ask(prefill, { ...one, kv_transfer_params: { ...held, transfer_id: "tx-1" } }, id);
  const params = { ...fetched, remote_engine_id: "e", remote_block_ids: [7], transfer_id: "tx-1" };
  const { text } = await ask(decode, { ...completion, kv_transfer_params: params }, id);
  expect(text).toContain("mangled_params");
});
