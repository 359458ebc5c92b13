/** What SGLang engines need to meet at all, to meet once, and to meet nobody that a client names. */
import { describe, expect, it } from "vitest";
import { Edits } from "../../../src/body/edit/splice.ts";
import type { DialectRequest } from "../../../src/dialects/dialect.ts";
import { sglang } from "../../../src/dialects/sglang/sglang.ts";
import { Attempt, decodeBody, engines, prefillBody, requestOf, strippedBody } from "../legs.ts";

const host = `"bootstrap_host":"10.0.0.1"`;
/** The first room of the tests' mint, beyond 2^53: no double holds it. */
const room = "9007199254740994";

function bodies(body: string, path?: string, of = engines) {
  const round = new Attempt(sglang, body, path);
  return [round.decode(of), round.prefill(of)] as const;
}

/** Of a round over a request whose other rounds share its mint. */
function decodeOf(request: DialectRequest, of = engines): string {
  const edits = new Edits();
  edits.start(request.members);
  sglang.beginTransfer(request).decodeEdits(edits, of);
  return Buffer.concat(edits.slices()).toString();
}

const roomOf = (body: string) => /"bootstrap_room":(\d+)/.exec(body)![1]!;

const withPrefill = (changes: Partial<typeof engines.prefill>) => ({
  ...engines,
  prefill: { ...engines.prefill, ...changes },
});

const roomsOf = (body: string) =>
  [.../"bootstrap_room":\[([^\]]*)\]/.exec(body)![1]!.matchAll(/\d+/g)].map(([digits]) => digits);

describe("both engines", () => {
  it("get the same place to meet, digit by digit", () => {
    const [decode, prefill] = bodies(`{"prompt":"x","max_tokens":9}`);
    const expected = `{"prompt":"x","max_tokens":9,${host},"bootstrap_port":8998,"bootstrap_room":${room}}`;
    expect(decode).toBe(expected);
    expect(prefill).toBe(expected);
  });

  it("get another room in each round: an engine fails one who comes into a room twice", () => {
    const request = requestOf(`{"prompt":"x"}`);
    const rooms = [1, 2, 3].map(() => roomOf(decodeOf(request)));
    expect(new Set(rooms).size).toBe(3);
  });
});

it("prefill keeps the client's limits, and is not streamed: its failure must be a status", () => {
  const body = `{"prompt":"x","max_tokens":900,"min_tokens":7,"stream":true,"stream_options":{"include_usage":true}}`;
  expect(prefillBody(sglang, body)).toBe(
    `{"prompt":"x","max_tokens":900,"min_tokens":7,"stream":false,${host},"bootstrap_port":8998,"bootstrap_room":${room}}`,
  );
  expect(decodeBody(sglang, body)).toContain(`"stream":true,"stream_options":{`);
});

it.each([
  [{ host: "fd00::1" }, `"bootstrap_host":"[fd00::1]"`],
  [{ attributes: { bootstrap_host: "kv.local" } }, `"bootstrap_host":"kv.local"`],
  [{ attributes: { bootstrap_host: "[fd00::9]" } }, `"bootstrap_host":"[fd00::9]"`],
  [{ attributes: { bootstrap_host: `a","b` } }, `"bootstrap_host":"a\\",\\"b"`],
  [{ attributes: { bootstrap_port: "9001" } }, `"bootstrap_port":9001`],
  [{ attributes: { bootstrap_port: `1,"n":2` } }, `"bootstrap_port":8998,`],
])("the prefill engine %j is met at %s", (changes, expected) => {
  for (const body of bodies("{}", undefined, withPrefill(changes))) {
    expect(body).toContain(expected);
    expect(() => JSON.parse(body)).not.toThrow();
  }
});

describe("each sequence has a room of its own", () => {
  it.each([
    ["/v1/completions", `{"prompt":["a","b"]}`, 2],
    ["/v1/completions", `{"prompt":[ [1,2] , [3] ]}`, 2],
    ["/v1/completions", `{"prompt":["only, \\"one"]}`, 1],
    ["/v1/completions", `{"prompt":["a","b"],"n":3}`, 6],
    ["/v1/completions", `{"prompt":"a","n":2}`, 2],
    ["/v1/chat/completions", `{"messages":[],"n":4}`, 4],
    ["/v1/chat/completions", `{"messages":[],"n":"2"}`, 2],
    ["/v1/chat/completions", `{"messages":[],"n":2.0}`, 2],
    ["/v1/chat/completions", `{"n":1,"n":2}`, 2],
    ["/generate", `{"text":["a","b","c"]}`, 3],
    ["/generate", `{"text":null,"input_ids":[[1],[2]]}`, 2],
    ["/generate", `{"text":"a","sampling_params":{"n":2}}`, 2],
    ["/generate", `{"text":["a","b"],"sampling_params":[{"n":2},{"n":2}]}`, 4],
  ])("%s %s: %i", (path, body, count) => {
    const [decode, prefill] = bodies(body, path);
    const rooms = roomsOf(decode);
    expect(new Set(rooms).size).toBe(count);
    expect(roomsOf(prefill)).toEqual(rooms);
    for (const each of [decode, prefill]) {
      const { bootstrap_host, bootstrap_port } = JSON.parse(each);
      expect(bootstrap_host).toEqual(Array.from({ length: count }, () => "10.0.0.1"));
      expect(bootstrap_port).toEqual(Array.from({ length: count }, () => 8998));
    }
  });

  it.each([
    ["/v1/completions", `{"prompt":[1,2,3]}`],
    ["/v1/completions", `{"prompt":[],"n":null}`],
    ["/v1/completions", `{"prompt":"a","n":0}`],
    ["/v1/completions", `{"prompt":"a","text":["not","it"]}`],
    ["/v1/chat/completions", `{"prompt":["not","it"],"n":1}`],
    ["/generate", `{"text":"a","input_ids":[[1],[2]],"n":7}`],
    ["/generate", `{"input_ids":[1,2],"sampling_params":{"n":1}}`],
    ["/generate", `{"text":"a","sampling_params":[]}`],
  ])("%s %s: one, and no lists", (path, body) => {
    for (const each of bodies(body, path)) expect(each).toContain(`"bootstrap_room":${room}`);
  });

  it("and a body of very many is not transferred, which costs no memory", () => {
    expect(sglang.supports!(requestOf(`{"prompt":"x","n":1024}`))).toBe(true);
    expect(sglang.supports!(requestOf(`{"prompt":"x","n":1025}`))).toBe(false);
    const many = `{"prompt":[${'"a",'.repeat(2000)}"a"]}`;
    expect(sglang.supports!(requestOf(many, "/v1/completions"))).toBe(false);
  });
});

describe("data-parallel ranks", () => {
  const of = {
    prefill: { ...engines.prefill, dpRank: 3, attributes: { dp_size: "8" } },
    decode: { ...engines.decode!, dpRank: 5 },
  };

  it("are said to each engine, and decode learns where its KV cache is", () => {
    const [decode, prefill] = bodies("{}", undefined, of);
    expect(prefill).toMatch(/"routed_dp_rank":3}$/);
    expect(prefill).not.toContain("disagg_prefill_dp_rank");
    expect(decode).toMatch(/"routed_dp_rank":5,"disagg_prefill_dp_rank":3}$/);
  });

  it("are in the room, for engines that go by it; no room leaves its range", () => {
    for (const minted of [0n, 7n, 9_007_199_254_740_993n, (1n << 63n) - 1n, (1n << 63n) - 8n]) {
      for (const size of [1, 3, 8, 1000]) {
        const request = requestOf("{}");
        const ids = { ...request.ids, integer63: () => minted };
        const rank = size === 1 ? 0 : 2;
        const prefill = { ...of.prefill, dpRank: rank, attributes: { dp_size: `${size}` } };
        const met = BigInt(roomOf(decodeOf({ ...request, ids }, { ...of, prefill })));
        expect(met % BigInt(size)).toBe(BigInt(rank));
        expect(met >= 0n && met < 1n << 63n).toBe(true);
      }
    }
  });

  it("are not said where there are none", () => {
    for (const body of bodies("{}")) expect(body).not.toContain("dp_rank");
  });
});

it.each([
  "bootstrap_host",
  "bootstrap_port",
  "bootstrap_room",
  "bootstrap\\u005froom",
  "bootstrap_pair_key",
  "routed_dp_rank",
  "disagg_prefill_dp_rank",
  "data_parallel_rank",
  "data_parallel_rank_decode",
  "pd_rebootstrap_prefill_url",
])("a client's own %s reaches no engine, with a KV transfer or without", (name) => {
  const body = `{"${name}":"canary","prompt":"x","${name}":["canary"]}`;
  expect(bodies(body).join()).not.toContain("canary");
  expect(strippedBody(sglang, body)).toBe(`{"prompt":"x"}`);
});

it("a request for any number of choices has a bounded number of rooms, and is not supported", () => {
  for (const n of [1_025, 1e9, Number.MAX_SAFE_INTEGER]) {
    const body = `{"prompt":"x","n":${n}}`;
    expect(sglang.supports!(requestOf(body, "/v1/completions"))).toBe(false);
    expect(roomsOf(decodeBody(sglang, body, "/v1/completions"))).toHaveLength(1_024);
  }
});
