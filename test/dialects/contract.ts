/** What the exchange, the configuration and the documentation rely on in every dialect. */

import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Dialect } from "../../src/dialects/dialect.ts";
import { objectText } from "../body/json-text.ts";
import { decodeBody, prefillBody, requestOf, strippedBody } from "./legs.ts";

const canary = "written-by-the-client";

/** Each also with an escape in its name, which an engine reads as the same. */
function fieldsOf({ transferFields }: Dialect): string[] {
  return ["kv_transfer_params", ...transferFields].flatMap((field) => [
    field,
    field.replace("_", "\\u005f"),
  ]);
}

const trtllmParams = `"disaggregated_params":{"request_type":"context_only","ctx_request_id":9223372036854775807,"disagg_request_id":1}`;
const response = `{"id":"cmpl-1","choices":[{"text":"a","finish_reason":"length",${trtllmParams}}],"prompt_token_ids":[1,2],"kv_transfer_params": {"remote_block_ids":[[1,2],[3]],"remote_engine_id":"e","remote_port":18446744073709551615} }`;

/** Checks what a dialect says of itself. */
export function testDefinition(dialect: Dialect): void {
  it("has a name for flags and YAML, and a summary that fits a cell of a table", () => {
    expect(dialect.name).toMatch(/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/);
    expect(dialect.summary).toMatch(/^[^|\n]{10,100}$/);
    expect(dialect.summary).not.toMatch(/\.$/);
    for (const cell of Object.values(dialect.overview)) expect(cell).toMatch(/^[^|\n]{1,100}$/);
    expect(["prefill-first", "together", "decode-first"]).toContain(dialect.order);
  });

  it("has a page that names it", () => {
    const page = `docs/dialects/${dialect.page}.md`;
    expect(existsSync(page), page).toBe(true);
    expect(readFileSync(page, "utf8")).toContain(dialect.name);
  });

  it("reads attributes whose names fit into a URL, each with its meaning", () => {
    for (const [name, { meaning }] of Object.entries(dialect.attributes ?? {})) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(meaning).toMatch(/^[^|\n]{3,100}$/);
    }
    const needed = (dialect.probes ?? []).flatMap(({ needs = [] }) => needs);
    expect(Object.keys(dialect.attributes ?? {})).toEqual(expect.arrayContaining(needed));
  });

  it("recognises no engine that shows nothing, and asks for what it recognises", () => {
    const { detection, family } = dialect;
    expect(detection?.recognise?.(new Map())).toBeUndefined();
    if (detection?.recognise !== undefined) expect(detection.questions).not.toEqual([]);
    if (detection !== undefined) expect(family?.owners).not.toEqual([]);
    for (const { path } of detection?.questions ?? []) expect(path).toMatch(/^\//);
  });
}

/** Checks one dialect whose engines split requests, as `contract.test.ts` does with each of the registry. */
export function testTransfers(dialect: Dialect): void {
  it("makes valid JSON of any object, and keeps the members that are none of its business", () => {
    fc.assert(
      fc.property(objectText, fc.boolean(), ({ text, members }, hasTransfer) => {
        const transfer = hasTransfer ? response : undefined;
        // What a dialect does not carry, such as 2^53 choices of a prompt, never comes to a KV transfer.
        fc.pre(dialect.supports?.(requestOf(text)) ?? true);
        for (const body of [prefillBody(dialect, text), decodeBody(dialect, text, transfer)]) {
          const object = JSON.parse(body) as Record<string, unknown>;
          for (const bystander of ["model", "messages", "7", "max_token", "Stream"]) {
            const last = members.findLast((m) => m.name === bystander);
            if (last === undefined) expect(Object.hasOwn(object, bystander)).toBe(false);
            else {
              expect(object[bystander]).toEqual(JSON.parse(last.value));
              expect(body).toContain(last.key + last.colon + last.value);
            }
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it("keeps prompts, numbers beyond 2^53 and the order of keys byte for byte", () => {
    const prompt = `"messages": [ {"role":"user", "content":"\\"max_tokens\\": 5, {\\n \\\\"} ],  "seed":18446744073709551615, "b":{"2":0,"1":0}`;
    const body = `{ ${prompt}, "max_tokens":64 }`;
    expect(prefillBody(dialect, body)).toContain(prompt);
    expect(decodeBody(dialect, body, response)).toContain(prompt);
  });

  it.each(fieldsOf(dialect))("lets no %s of a client's reach an engine", (field) => {
    const poison = `"${field}":{"remote_host":"${canary}"}`;
    const bodies = [
      `{${poison}}`,
      `{${poison},${poison}}`,
      `{${poison},"prompt":"x",${poison}}`,
      `{"prompt":"x", ${poison} , "stream":true}`,
    ];
    for (const body of bodies) {
      for (const transfer of [undefined, response]) {
        expect(prefillBody(dialect, body)).not.toContain(canary);
        expect(decodeBody(dialect, body, transfer)).not.toContain(canary);
      }
      expect(strippedBody(dialect, body)).not.toContain(canary);
    }
  });

  it("asks of a prefill one token and one choice, or leaves all limits to an engine that ends a prefill by itself", () => {
    const limits = { max_tokens: 900, max_completion_tokens: 900, n: 4 };
    const rest = { stream: true, stream_options: {} };
    const object = JSON.parse(prefillBody(dialect, JSON.stringify({ ...limits, ...rest })));
    const { max_tokens, max_completion_tokens, n, stream } = object;
    expect([limits, { max_tokens: 1, max_completion_tokens: 1, n: 1 }]).toContainEqual({
      max_tokens,
      max_completion_tokens,
      n,
    });
    // In a stream a prefill that fails would have its status already.
    expect(stream).toBe(false);
    expect(object).not.toHaveProperty("stream_options");
  });

  it("takes no KV transfer from what is no response, and does not throw", () => {
    const gzip = Buffer.from("1f8b0800000000000003ab5632540200f2a3b1", "hex");
    for (const bytes of [Buffer.alloc(0), gzip, Buffer.from("<h1>502</h1>"), Buffer.from("[]")]) {
      // As from an answer that transfers nothing.
      expect(decodeBody(dialect, "{}", bytes)).toBe(decodeBody(dialect, "{}", "{}"));
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(response.length), (noise, at) => {
        const bytes = Buffer.from(response);
        bytes.set(noise.subarray(0, bytes.length - at), at);
        decodeBody(dialect, "{}", bytes);
      }),
    );
  });

  it("holds nothing from one request to the next", () => {
    const one = `{"prompt":"one","stream":true}`;
    const two = `{"prompt":"two","n":2}`;
    const transfer = response;
    const first = [prefillBody(dialect, one), decodeBody(dialect, one, transfer)];
    prefillBody(dialect, two);
    decodeBody(dialect, two);
    expect([prefillBody(dialect, one), decodeBody(dialect, one, transfer)]).toEqual(first);
  });
}
