/** What NIXL engines need to hand over at all, and to hand over the right KV cache. */
import { describe, expect, it } from "vitest";
import { vllmNixl } from "../../../src/dialects/vllm/nixl.ts";
import { Attempt, decodeBody, engines, prefillBody, requestOf, strippedBody } from "../legs.ts";

const params = `{"do_remote_prefill":true,"do_remote_decode":false,"remote_block_ids":[[18446744073709551615]],"remote_engine_id":"e","remote_request_id":"r","remote_host":"localhost","remote_port":5600,"tp_size":1}`;
const response = `{"id":"cmpl-1","choices":[],"kv_transfer_params": ${params} }`;

describe("prefill", () => {
  it("is asked to hold the KV cache, with four nulls, whatever the client wrote there", () => {
    const body = `{"prompt":"x","kv_transfer_params":{"remote_host":"evil"},"stream":true}`;
    expect(prefillBody(vllmNixl, body)).toBe(
      `{"prompt":"x","stream":false,"max_tokens":1,"min_tokens":1,"kv_transfer_params":` +
        `{"do_remote_decode":true,"do_remote_prefill":false,"remote_engine_id":null,` +
        `"remote_block_ids":null,"remote_host":null,"remote_port":null}}`,
    );
  });

  it("asks for one token at least, so that one that ends the text does not end the KV transfer", () => {
    for (const given of ["", `,"min_tokens":0`, `,"min_tokens":30,"min_tokens":7`]) {
      const body = JSON.parse(prefillBody(vllmNixl, `{"prompt":"x"${given}}`));
      expect(body).toMatchObject({ min_tokens: 1, max_tokens: 1 });
    }
  });
});

describe("decode", () => {
  it("gets the parameters verbatim", () => {
    expect(decodeBody(vllmNixl, `{"prompt":"x","max_tokens":9}`, response)).toBe(
      `{"prompt":"x","max_tokens":9,"kv_transfer_params":${params}}`,
    );
  });

  it.each([
    ["10.9.9.9", "10.9.9.9"],
    ["address", "fd00::7"],
    ['a"b', 'a\\"b'],
  ])(
    "gets another remote_host where the engine's attribute says %s, and all else verbatim",
    (attribute, host) => {
      const prefill = {
        ...engines.prefill,
        host: "fd00::7",
        attributes: { remote_host: attribute },
      };
      const round = new Attempt(vllmNixl, `{"prompt":"x"}`);
      round.prefill();
      round.transfer.prefillResponded(Buffer.from(response));
      const expected = params.replace("localhost", host);
      expect(round.decode({ ...engines, prefill })).toBe(
        `{"prompt":"x","kv_transfer_params":${expected}}`,
      );
    },
  );
});

it.each([
  `"n":2`,
  `"n":1,"n":2`,
  `"n":1e1`,
  `"best_of":3`,
  `"prompt":["a","b"]`,
  `"prompt": [ [1,2] , [3] ]`,
])("a request for several answers is not transferred: %s", (member) => {
  const body = `{"x":1,${member}}`;
  expect(vllmNixl.supports!(requestOf(body, "/v1/completions"))).toBe(false);
  expect(strippedBody(vllmNixl, body)).toBe(body);
});

it.each([
  `"n":1`,
  `"n":null,"best_of":1`,
  `"prompt":["a]\\",b"]`,
  `"prompt":[[1,2,3] ]`,
  `"prompt":[1,2,3]`,
  `"prompt":[]`,
  `"messages":["a","b"]`,
])("a request for one answer is: %s", (member) => {
  expect(vllmNixl.supports!(requestOf(`{${member}}`))).toBe(true);
});
