/** What differs between vLLM-Ascend and vLLM: who frees what nobody fetches, and answers that are given up. */
import { expect, it } from "vitest";
import { continued } from "../../../src/dialects/shared/continued/continued.ts";
import { vllmResponses } from "../../../src/dialects/vllm/responses.ts";
import { vllmAscend } from "../../../src/dialects/vllm-ascend/ascend.ts";
import { decodeBody, prefillBody } from "../legs.ts";

const params = `{"do_remote_prefill":true,"remote_block_ids":[[18446744073709551615]],"remote_pcp_size":1,"last_token_id":9,"remote_multi_nodes_meta_mapping":{"1":{},"0":{}},"num_prompt_blocks":2,"remote_block_size":128}`;

it("prefill has the nulls form and min_tokens 1: one that ends with its first token is not transferred", () => {
  expect(prefillBody(vllmAscend, `{"prompt":"x","max_completion_tokens":9,"min_tokens":5}`)).toBe(
    `{"prompt":"x","max_completion_tokens":1,"min_tokens":1,"max_tokens":1,"kv_transfer_params":` +
      `{"do_remote_decode":true,"do_remote_prefill":false,"remote_engine_id":null,` +
      `"remote_block_ids":null,"remote_host":null,"remote_port":null}}`,
  );
});

it("decode gets the fields of newer engines verbatim", () => {
  const response = `{"choices":[],"kv_transfer_params":${params}}`;
  expect(decodeBody(vllmAscend, `{"prompt":"x"}`, response)).toBe(
    `{"prompt":"x","kv_transfer_params":${params}}`,
  );
});

it("a decode that fetches frees what nobody fetches, and responses that are given up go on", () => {
  expect(vllmAscend.release?.by).toBe("fetching-decode");
  expect(vllmAscend.merge).toBeInstanceOf(continued(vllmResponses, false).constructor);
});
