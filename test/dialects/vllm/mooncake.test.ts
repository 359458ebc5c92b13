/** What Mooncake engines need to meet at all, and to meet for one request only. */
import { describe, expect, it } from "vitest";
import { Edits } from "../../../src/body/edit/splice.ts";
import type { Dialect, Engines } from "../../../src/dialects/dialect.ts";
import { vllmMooncake, vllmMooncakeV0 } from "../../../src/dialects/vllm/mooncake.ts";
import { Attempt, engines, requestOf } from "../legs.ts";

const uuid = "00000000-0000-4000-8000-000000000001";
const of: Engines = {
  ...engines,
  prefill: { ...engines.prefill, attributes: { engine_id: 'p"0', bootstrap_port: "9001" } },
};

function bodies(dialect: Dialect, body: string, at = of) {
  const round = new Attempt(dialect, body);
  return [round.prefill(at), round.decode(at)] as const;
}

const evil = `"kv_transfer_params":{"remote_bootstrap_addr":"http://evil"}`;

it("both engines get one transfer id, and decode where prefill is; nothing of a client's own", () => {
  const [prefill, decode] = bodies(vllmMooncake, `{"prompt":"x","max_tokens":9,${evil}}`);
  expect(prefill).toBe(
    `{"prompt":"x","max_tokens":1,"min_tokens":1,"kv_transfer_params":` +
      `{"do_remote_decode":true,"do_remote_prefill":false,"transfer_id":"xfer-${uuid}"}}`,
  );
  expect(decode).toBe(
    `{"prompt":"x","max_tokens":9,"kv_transfer_params":` +
      `{"do_remote_decode":false,"do_remote_prefill":true,"remote_bootstrap_addr":"http://10.0.0.1:9001",` +
      `"remote_engine_id":"p\\"0","transfer_id":"xfer-${uuid}"}}`,
  );
});

it("each round has a transfer id of its own: prefill still holds the KV cache of the one before", () => {
  const request = requestOf("{}");
  const ids = [1, 2].map(() => {
    const edits = new Edits();
    edits.start(request.members);
    vllmMooncake.beginTransfer(request).prefillEdits(edits, of);
    return /"transfer_id":"([^"]+)"/.exec(Buffer.concat(edits.slices()).toString())![1];
  });
  expect(new Set(ids).size).toBe(2);
});

it.each([
  [{ host: "fd00::1" }, "http://[fd00::1]:8998"],
  [{ attributes: { engine_id: "e", bootstrap_host: "kv.local" } }, "http://kv.local:8998"],
  [{ attributes: { engine_id: "e", bootstrap_port: `1","n":2` } }, "http://10.0.0.1:8998"],
])("the bootstrap server of %j is at %s", (changes, url) => {
  const prefill = { ...engines.prefill, attributes: { engine_id: "e" }, ...changes };
  const [, decode] = bodies(vllmMooncake, "{}", { ...engines, prefill });
  expect(JSON.parse(decode).kv_transfer_params.remote_bootstrap_addr).toBe(url);
});

it("decode learns nothing rather than half of it, of which the engine would make nothing either", () => {
  const [, decode] = bodies(vllmMooncake, `{"prompt":"x"}`, { ...of, prefill: engines.prefill });
  expect(decode).toBe(`{"prompt":"x"}`);
});

it("no engine gets requests whose id is not known", () => {
  expect(vllmMooncake.probes?.flatMap(({ needs = [] }) => needs)).toEqual(["engine_id"]);
});

describe("the older generation", () => {
  it("meets by an id of the request that no other has, not even the same client's", () => {
    const request = requestOf("{}");
    const ids = [1, 2].map(() => vllmMooncakeV0.beginTransfer(request).requestId!(of));
    expect(new Set([...ids, request.requestId]).size).toBe(3);
    const round = vllmMooncakeV0.beginTransfer(request);
    expect(round.requestId!(of)).toBe(round.requestId!(of));
  });

  it("gets the bootstrap server as host and port", () => {
    const prefill = { ...of.prefill, host: "fd00::1" };
    const [held, decode] = bodies(vllmMooncakeV0, `{"prompt":"x"}`, { ...of, prefill });
    expect(held).toContain(
      `"kv_transfer_params":{"do_remote_decode":true,"do_remote_prefill":false}}`,
    );
    expect(decode).toBe(
      `{"prompt":"x","kv_transfer_params":{"do_remote_decode":false,"do_remote_prefill":true,` +
        `"bootstrap_server_host":"[fd00::1]","bootstrap_server_port":9001}}`,
    );
  });
});

it.each([vllmMooncake, vllmMooncakeV0])(
  "$name transfers no request for several answers: each would fetch under one name",
  (dialect) => {
    for (const body of [`{"n":2}`, `{"prompt":["a","b"]}`]) {
      expect(dialect.supports!(requestOf(body, "/v1/completions"))).toBe(false);
    }
    expect(dialect.supports!(requestOf(`{"prompt":"a","n":1}`))).toBe(true);
  },
);
