/** Ids that hold addresses, read as the engines read them: P2P NCCL's and MoRI-IO's. */
import { describe, expect, it } from "vitest";
import { moriioRead, moriioWrite } from "../../../src/dialects/vllm/moriio.ts";
import { vllmP2pNccl } from "../../../src/dialects/vllm/p2p-nccl.ts";
import { Attempt, engines, requestOf } from "../legs.ts";

/** vLLM makes this of `X-Request-Id`, newer versions with eight characters more. */
const internal = (id: string) => [`cmpl-${id}-0`, `chatcmpl-${id}-1a2b3c4d`];

const withAttributes = (
  p: Record<string, string>,
  d: Record<string, string>,
  host = "10.0.0.1",
) => ({
  prefill: { ...engines.prefill, host, attributes: p },
  decode: { ...engines.decode!, host: "10.0.0.2", attributes: d },
});

const hex = "00000000000040008000000000000001";

describe("vllm-p2p-nccl", () => {
  const idOf = (of: typeof engines) => new Attempt(vllmP2pNccl, "{}").transfer.requestId!(of);

  it.each([
    [{ zmq_address: "1.2.3.4:21001" }, "1.2.3.4", "21001"],
    [{ kv_port: "21001" }, "10.0.0.1", "21001"],
    [{}, "10.0.0.1", "14579"],
    [{ zmq_address: "a\r\nX-Evil: b:1" }, "10.0.0.1", "14579"],
    [{ zmq_address: "a___decode_addr_b:1" }, "10.0.0.1", "14579"],
  ])("both engines find each other by %j", (attributes, host, port) => {
    const id = idOf(withAttributes(attributes, { zmq_address: "5.6.7.8:22001" }));
    for (const seen of internal(id)) {
      expect(/___decode_addr_(.*):(\d+)/.exec(seen)!.slice(1)).toEqual(["5.6.7.8", "22001"]);
      expect(/___prefill_addr_(.*):(\d+)___/.exec(seen)!.slice(1)).toEqual([host, port]);
    }
    expect(id).toMatch(/^[\x21-\x7e]+_[0-9a-f]{32}$/);
  });

  it("of a host that is an IPv6 address", () => {
    expect(idOf(withAttributes({}, {}, "fd00::1"))).toContain("___prefill_addr_[fd00::1]:14579___");
  });

  it("no two rounds have the same: what came for the first would be taken for the second", () => {
    const request = requestOf("{}");
    const ids = [1, 2].map(() => vllmP2pNccl.beginTransfer(request).requestId!(engines));
    expect(new Set(ids).size).toBe(2);
  });

  it("bodies carry nothing but the cap", () => {
    const round = new Attempt(vllmP2pNccl, `{"prompt":"x","max_tokens":9,"kv_transfer_params":{}}`);
    expect(round.prefill()).toBe(`{"prompt":"x","max_tokens":1}`);
    expect(round.decode()).toBe(`{"prompt":"x","max_tokens":9}`);
  });
});

describe.each([moriioRead, moriioWrite])("$name", (dialect) => {
  const of = withAttributes(
    { handshake_port: "6302", notify_port: "6105", dp_size: "8", tp_size: "4" },
    { zmq_address: "host:fd00::2,handshake:7301,notify:7501", tp_size: "2", dp_size: "x" },
  );

  it("names both engines in the id, in the connector's own form", () => {
    const id = new Attempt(dialect, "{}").transfer.requestId!(of);
    for (const seen of internal(id)) {
      expect(/___prefill_addr_(.+?)___decode_addr_/.exec(seen)![1]).toBe(
        "host:10.0.0.1,handshake:6302,notify:6105",
      );
      expect(/___decode_addr_(.+)_[0-9a-f]{32}(?:-.*)?$/.exec(seen)![1]).toBe(
        "host:fd00::2,handshake:7301,notify:7501",
      );
    }
    expect(id).toMatch(new RegExp(`_${hex}$`));
  });

  it("tells prefill of decode's sizes, as far as they are numbers, and a transfer id with its prefix", () => {
    const body = new Attempt(dialect, `{"prompt":"x","stream":true}`).prefill(of);
    expect(body).toBe(
      `{"prompt":"x","stream":false,"max_tokens":1,"min_tokens":1,"kv_transfer_params":` +
        `{"do_remote_decode":true,"do_remote_prefill":false,"remote_engine_id":null,"remote_block_ids":null,` +
        `"transfer_id":"tx-00000000-0000-4000-8000-000000000002","remote_tp_size":2}}`,
    );
  });
});

const transfer = `"transfer_id":"tx-00000000-0000-4000-8000-000000000002"`;

it("moriio-write informs decode before prefill has computed anything", () => {
  expect(moriioWrite.order).toBe("together");
  expect(new Attempt(moriioWrite, `{"max_tokens":9}`).decode()).toBe(
    `{"max_tokens":9,"kv_transfer_params":{"do_remote_decode":false,"do_remote_prefill":true,` +
      `"remote_engine_id":null,"remote_block_ids":null,${transfer}}}`,
  );
});

describe("moriio-read", () => {
  const response = (params: string) => Buffer.from(`{"id":"x","kv_transfer_params":${params}}`);

  it("has decode read the blocks of the prefill's response, digit by digit, on the rank that computed them", () => {
    const round = new Attempt(moriioRead, `{"max_tokens":9}`);
    round.prefill();
    const blocks = "[18446744073709551615, 2]";
    const said = `{"remote_block_ids": ${blocks} ,"remote_engine_id":"e:1","remote_host":"elsewhere"}`;
    expect(round.transfer.prefillResponded(response(said))).toBeUndefined();
    const prefill = { ...engines.prefill, dpRank: 3, attributes: { tp_size: "4", dp_size: "8" } };
    expect(round.decode({ ...engines, prefill })).toBe(
      `{"max_tokens":9,"kv_transfer_params":{"do_remote_decode":false,"do_remote_prefill":true,` +
        `"remote_engine_id":"e:1","remote_block_ids":${blocks},${transfer},` +
        `"remote_dp_size":8,"remote_tp_size":4,"tp_size":4,"remote_dp_rank":3}}`,
    );
  });

  it.each([
    "null",
    "{}",
    `{"remote_engine_id":"e","remote_block_ids":null}`,
    `{"remote_block_ids":[1]}`,
  ])("sends nothing to decode after %s: it would generate from memory that is empty", (params) => {
    const round = new Attempt(moriioRead, "{}");
    round.prefill();
    expect(round.transfer.prefillResponded(response(params))).toBe("no-transfer");
  });
});

it.each([vllmP2pNccl, moriioRead, moriioWrite])(
  "$name: engines that cannot do without a prefill are never asked to, and decode is chosen before prefill is told of it",
  (dialect) => {
    expect(dialect.requiresPrefill).toBe(true);
    expect(dialect.order === "together" || dialect.choosesDecodeFirst).toBe(true);
    expect(dialect.supports!(requestOf(`{"n":2}`))).toBe(false);
  },
);
