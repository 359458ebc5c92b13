/** A prefill that is spent on a request whose limits decode rejects. */
import { describe, expect, it, test } from "vitest";
import { prefillBody, transferring } from "../dialects/legs.ts";
import { response } from "./engine.ts";
import { World, type WorldOptions } from "./world.ts";

const contextTokens = 200;
const messages = [{ role: "user", content: "hello" }];
const ids = (count: number) => Array.from({ length: count }, (_, id) => 7_000 + id);

type Case = readonly [what: string, path: string, body: object, param?: string | null];

const rejected: readonly Case[] = [
  ["a cap of 0", "/v1/completions", { max_tokens: 0 }, "max_tokens"],
  ["a cap below 0", "/v1/completions", { max_tokens: -1 }, "max_tokens"],
  ["a chat's cap of 0", "/v1/chat/completions", { messages, max_tokens: 0 }, "max_tokens"],
  [
    "a chat's other cap of 0",
    "/v1/chat/completions",
    { messages, max_completion_tokens: 0 },
    "max_tokens",
  ],
  ["more at least than at most", "/v1/completions", { max_tokens: 4, min_tokens: 5 }, null],
  ["a cap beyond the context", "/v1/completions", { max_tokens: 201 }, "max_tokens"],
  [
    "a chat's cap beyond it",
    "/v1/chat/completions",
    { messages, max_completion_tokens: 201 },
    "max_completion_tokens",
  ],
  ["a message's cap of 0", "/v1/messages", { messages, max_tokens: 0 }],
  ["a response's cap of 0", "/v1/responses", { input: "x", max_output_tokens: 0 }],
  [
    "parameters in an object",
    "/inference/v1/generate",
    { token_ids: [1], sampling_params: { max_tokens: 3, min_tokens: 4 } },
    null,
  ],
];

/** Borders, and what not all versions of an engine reject. */
const taken: readonly Case[] = [
  ["a cap of 1", "/v1/completions", { max_tokens: 1 }],
  ["as many at least as at most", "/v1/completions", { max_tokens: 5, min_tokens: 5 }],
  ["a cap of the whole context", "/v1/completions", { max_tokens: contextTokens }],
  ["ids that leave less than the cap", "/v1/completions", { prompt: ids(150), max_tokens: 100 }],
  ["no cap", "/v1/completions", { min_tokens: 3 }],
  ["a cap of null", "/v1/completions", { max_tokens: null }],
  ["a cap that is a text", "/v1/completions", { max_tokens: "0" }],
  ["a cap that is a fraction", "/v1/completions", { max_tokens: 0.5 }],
  ["a name that completions ignore", "/v1/completions", { max_completion_tokens: 0 }],
  [
    "two caps of which one is good",
    "/v1/chat/completions",
    { messages, max_tokens: 5, max_completion_tokens: 0 },
  ],
  ["a cap that is cut to the context", "/v1/responses", { input: "x", max_output_tokens: 500 }],
];

const named = (cases: readonly Case[]) =>
  cases.map(([what, path, body, param]) => ({ what, path, body, param }));

/** One request, and what has come of it. */
function send(
  path: string,
  body: object,
  routeMore: object,
  engine: object = { attributes: { max_model_len: `${contextTokens}` } },
) {
  const accessLogs = [{ file: "log", format: "sim" }];
  const routes = ["/v1/", "/inference/"].map((prefix) => ({
    match: { path: prefix },
    target: { pool: "decode" },
    prefill: { pool: "prefill" },
    accessLogs,
    ...routeMore,
  }));
  const world = new World({ routes, route: routeMore, engine } as WorldOptions);
  for (const one of world.engines) {
    one.checksTransfer = false;
    one.script = (_, connection) =>
      connection.send(response(`{"choices":[{}],"kv_transfer_params":{"kv":1}}`));
  }
  const client = world.client();
  const text = JSON.stringify({ model: "m", prompt: "hello", ...body });
  const head = `POST ${path} HTTP/1.1\r\nHost: proxy\r\nContent-Length: ${Buffer.byteLength(text)}`;
  client.send(`${head}\r\n\r\n${text}`);
  const { status, body: got } = world.responseTo(client);
  world.runFor(100);
  world.expectNothingLeft();
  const seen = (engines: typeof world.engines) => engines.flatMap(({ requests }) => requests);
  return {
    status,
    json: JSON.parse(got.toString()),
    prefills: seen(world.prefill).length,
    decodes: seen(world.decode).length,
    bodies: seen(world.engines).map((one) => one.body.toString()),
    line: world.lines[0],
  };
}

const masking = transferring.filter(([, { family }]) => family?.name === "vllm");
const others = transferring.filter(([, { family }]) => family?.name !== "vllm");

describe.each(masking)("%s, whose prefill has limits of its own", (dialect) => {
  test.each(named(rejected))("$what reaches no engine", ({ path, body, param }) => {
    for (const stream of [false, true]) {
      const { status, json, prefills, decodes, line } = send(
        path,
        { ...body, stream },
        { dialect },
      );
      expect({ status, prefills, decodes }).toEqual({ status: 400, prefills: 0, decodes: 0 });
      const { error } = json;
      expect(error).toMatchObject({ type: "BadRequestError", message: expect.any(String) });
      if (param !== undefined) expect(error).toMatchObject({ param, code: 400 });
      expect(line).toBe("400 GP_TOKEN_LIMITS - > -");
    }
  });
});

describe.each(others)("%s, whose prefill engines get the client's limits", (_, dialect) => {
  test.each(named(rejected))("$what is for them to judge", ({ path, body }) => {
    expect(dialect.family?.rejects).toBeUndefined();
    expect(JSON.parse(prefillBody(dialect, JSON.stringify(body), path))).toMatchObject(body);
  });
});

test.each(named(taken))("$what goes to both engines", ({ path, body }) => {
  const { status, prefills, decodes } = send(path, body, {});
  expect({ status, prefills, decodes }).toEqual({ status: 200, prefills: 1, decodes: 1 });
});

it("an echo of the prompt alone, of which no KV cache is of use, goes to one engine", () => {
  const body = { echo: true, logprobs: 1, max_tokens: 0 };
  const { status, prefills, decodes } = send("/v1/completions", body, {});
  expect({ status, prefills, decodes }).toEqual({ status: 200, prefills: 0, decodes: 1 });
});

test.each([
  { what: "a chat without messages", path: "/v1/chat/completions", body: { max_tokens: 4 } },
  { what: "a response without input", path: "/v1/responses", body: {} },
  { what: "a message without a cap", path: "/v1/messages", body: { messages } },
  { what: "a message without messages", path: "/v1/messages", body: { max_tokens: 4 } },
])("$what goes to one engine as it came, which may count its members", ({ path, body }) => {
  const { prefills, decodes, bodies } = send(path, body, {});
  expect({ prefills, decodes }).toEqual({ prefills: 0, decodes: 1 });
  expect(bodies).toEqual([JSON.stringify({ model: "m", prompt: "hello", ...body })]);
});

it("rejects no cap by a context that is not known of all engines", () => {
  const big = { max_tokens: 100_000 };
  expect(send("/v1/completions", big, {}, {})).toMatchObject({ status: 200, prefills: 1 });
});

it("leaves all limits to the engines where requests are not treated by their endpoint", () => {
  const sent = send("/v1/completions", { max_tokens: 0 }, { byEndpoint: false });
  expect(sent).toMatchObject({ status: 200, prefills: 1, decodes: 1 });
});
