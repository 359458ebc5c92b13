/** What layerwise engines need to find each other, and what a list of prompts makes of that. */
import { describe, expect, it } from "vitest";
import { vllmAscendLayerwise } from "../../../src/dialects/vllm-ascend/layerwise.ts";
import { calledPromptsMax } from "../../../src/limits.ts";
import { Attempt, engines, requestOf, strippedBody } from "../legs.ts";

const url = "http://10.0.0.9:9000/callback/0";
const path = "/v1/completions";
const call = (id: string, host: string) =>
  Buffer.from(
    `{"token_ids":[],"request_id":"${id}", "remote_block_ids":[[18446744073709551615]],"remote_host":"${host}"}`,
  );

function begin(body: string) {
  const round = new Attempt(vllmAscendLayerwise, body, path);
  const id = round.transfer.requestId!(engines);
  const called = (child: string, host = `d${child}`) =>
    round.transfer.calledBack!(call(`cmpl-${id}-${child}`, host));
  return { round, id, called };
}

it("decode learns where to call, whatever the client wrote there", () => {
  const { round } = begin(`{"prompt":"x","kv_transfer_params":{"metaserver":"evil"}}`);
  expect(round.decode()).toBe(
    `{"prompt":"x","kv_transfer_params":{"do_remote_decode":false,"do_remote_prefill":true,"metaserver":"${url}"}}`,
  );
});

it("prefill gets the call's body verbatim, and min_tokens 1", () => {
  const { round, id, called } = begin(`{"prompt":"x","stream":true,"kv_transfer_params":1}`);
  expect(called("0")).toBe("complete");
  expect(round.prefill()).toBe(
    `{"prompt":"x","stream":false,"max_tokens":1,"min_tokens":1,"kv_transfer_params":${call(`cmpl-${id}-0`, "d0")}}`,
  );
});

it("has an id of each round's own, since engines find each other's memory by it", () => {
  const request = requestOf(`{"prompt":"x"}`, path);
  const ids = [1, 2].map(() => vllmAscendLayerwise.beginTransfer(request).requestId!(engines));
  expect(new Set([...ids, request.requestId]).size).toBe(3);
});

describe("a list of prompts", () => {
  it("waits for a call of each, whatever their order, and for none twice", () => {
    const { round, called, id } = begin(`{"prompt":["a",[1,2],"c"]}`);
    expect(["2", "1", "1", "2"].map((child) => called(child))).toEqual(Array(4).fill("incomplete"));
    expect(called("0")).toBe("complete");
    expect(called("1", "another")).toBe("complete");
    const { kv_transfer_params: params } = JSON.parse(round.prefill());
    expect(params).toMatchObject({ request_id: `cmpl-${id}-0`, remote_host: "d0" });
    const batch = params.batch_kv_transfer_params;
    expect(Object.keys(batch).toSorted()).toEqual(["0", "1", "2"].map((n) => `cmpl-${id}-${n}`));
    expect(batch[`cmpl-${id}-1`]).toMatchObject({ request_id: `cmpl-${id}-1`, remote_host: "d1" });
    expect(round.prefill().split("18446744073709551615")).toHaveLength(5);
  });

  it("of one prompt has no batch", () => {
    const { round, called } = begin(`{"prompt":["a"]}`);
    expect(called("0")).toBe("complete");
    expect(round.prefill()).not.toContain("batch_kv_transfer_params");
  });

  it("has no more calls than prompts", () => {
    const { called } = begin(`{"prompt":["a","b"]}`);
    expect(["0", "1", "2"].map((child) => called(child))).toEqual([
      "incomplete",
      "complete",
      "invalid",
    ]);
  });
});

it.each([
  "",
  "null",
  "[]",
  "{}",
  `{"request_id":7}`,
  `{"request_id":"cmpl-another-0"}`,
  `{"request_id"`,
])("a call that is none of this round's is refused: %s", (body) => {
  const { round } = begin(`{"prompt":"x"}`);
  expect(round.transfer.calledBack!(Buffer.from(body))).toBe("invalid");
});

it("what has several responses for a prompt, or too many prompts, goes to decode alone, without a KV transfer", () => {
  const supports = (body: string) => vllmAscendLayerwise.supports!(requestOf(body, path));
  const many = (count: number) => `{"prompt":[${Array(count).fill(`"x"`).join()}]}`;
  expect(supports(`{"prompt":"x","n":2}`)).toBe(false);
  expect(supports(`{"prompt":"x","best_of":2}`)).toBe(false);
  expect(supports(many(calledPromptsMax + 1))).toBe(false);
  expect(supports(many(calledPromptsMax))).toBe(true);
  const poison = `{"kv_transfer_params":{"metaserver":"evil"},"prompt":"x"}`;
  expect(strippedBody(vllmAscendLayerwise, poison)).toBe(`{"prompt":"x"}`);
});
