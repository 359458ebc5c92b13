/** What engines store for one tenant must not reach another, however paths and bodies are written. */
import { describe, expect, test } from "vitest";
import { hashOfKey } from "../../src/config/values/key-file.ts";
import type { Credentials } from "../../src/proxy/admission/tenants/credentials.ts";
import { type ClientResponse, codeOf } from "./client.ts";
import { response, type Script } from "./engine.ts";
import { World, type WorldOptions } from "./world.ts";

type Config = NonNullable<WorldOptions["config"]>;

const credentials: Credentials = {
  keys: [
    { hash: hashOfKey("key-a"), tenant: "a" },
    { hash: hashOfKey("key-b"), tenant: "b" },
  ],
  engineKeys: {},
};
const bearer = (key: string) => `Authorization: Bearer ${key}\r\n`;

describe("a stored response", () => {
  const engine: Script = ({ body }, { send }) =>
    send(response(body.length > 0 ? body.toString() : "{}"));

  function proxy(config: Config = {}, more: WorldOptions = {}) {
    const open = { match: { path: "/open/" }, target: { pool: "decode", uri: "/" }, auth: false };
    const url = { match: { path: "/by/" }, target: { url: "http://decode/v1/$arg_what" } };
    const one = new World({
      credentials,
      routes: [open, url],
      ...more,
      config: { auth: { keyFile: "keys" }, ...config },
    });
    for (const decode of one.decode) decode.script = engine;
    return (key: string, start: string, json?: object | string) => {
      const client = one.client();
      const body = json === undefined ? "" : typeof json === "string" ? json : JSON.stringify(json);
      const lines = `${bearer(key)}Content-Length: ${body.length}\r\n`;
      client.send(`${start} HTTP/1.1\r\nHost: p\r\n${lines}\r\n${body}`, start.split(" ")[0]);
      return one.responseTo(client);
    };
  }
  const idIn = (answer: ClientResponse) =>
    (JSON.parse(answer.body.toString()) as { request_id: string }).request_id;
  const create = { model: "m", input: "x" };
  const actions = (id: string) => [
    `GET /v1/responses/${id}`,
    `GET /v1/responses/${id}/input_items`,
    `POST /v1/responses/${id}/cancel`,
    `DELETE /v1/responses/${id}`,
  ];

  test("is its tenant's, also if models are limited, and nobody else's", () => {
    const ask = proxy({ tenants: { a: { models: ["m"] }, b: {} } });
    const id = idIn(ask("key-a", "POST /v1/responses", create));
    for (const start of actions(id)) {
      const json = start.startsWith("POST") ? {} : undefined;
      expect(ask("key-a", start, json).status, start).toBe(200);
      expect(codeOf(ask("key-b", start)), start).toBe("GP_UNKNOWN_RESPONSE");
      expect(codeOf(ask("", start.replace("/v1", "/open/v1"))), start).toBe("GP_UNKNOWN_RESPONSE");
    }
    for (const start of [`GET /v1/responses/${id}/`, `DELETE /v1/responses/%72${id.slice(1)}`]) {
      expect(ask("key-b", start).status, start).toBe(404);
    }
    const goesOn = { ...create, previous_response_id: id };
    expect(ask("key-a", "POST /v1/responses", goesOn).status).toBe(200);
    expect(codeOf(ask("key-b", "POST /v1/responses", goesOn))).toBe("GP_UNKNOWN_RESPONSE");
    expect(
      ask("key-b", "POST /v1/responses", { ...create, previous_response_id: null }).status,
    ).toBe(200);
    const ofEngine = "resp_0123456789abcdef0123456789abcdef";
    expect(codeOf(ask("key-a", `GET /v1/responses/${ofEngine}`))).toBe("GP_UNKNOWN_RESPONSE");
  });

  test("stays its tenant's however its id or its path is written", () => {
    const ask = proxy();
    const id = idIn(ask("key-a", "POST /v1/responses", create));
    const targets = [
      `/v1//responses/${id}`,
      `//v1/responses/${id}`,
      `/v1/./responses/${id}`,
      `/v1/x/../responses/${id}`,
      `/v1/responses/./${id}`,
      `/v1/%72esponses/${id}`,
      `/v1/%2572esponses/${id}`,
      `/v1/responses%2F${id}`,
      `/v1/responses%252F${id}`,
      `/v1/responses/${id.toUpperCase()}`,
      `/V1/RESPONSES/${id}`,
      `/v1/Responses/${id}/cancel`,
      `/v1/responses\\${id}`,
      `/v1/responses;x/${id}`,
      `/v1/responses/${id};x`,
      `/v1/responses/${id}?x=/v1/models`,
      `/v1/responses/${id}#/v1/models`,
      `/v1/responses/${id}/../${id}`,
      `/v1/models/..%2fresponses/${id}`,
      `/by/?what=responses/${id}`,
      `/v1/responses`,
      `/v1/responses/`,
      `/v1/responses?after=${id}`,
    ];
    const decodings = new Set([404, 400]);
    for (const method of ["GET", "HEAD", "DELETE", "POST", "PUT"]) {
      for (const target of targets) {
        const isCreating = method === "POST" && /^\/v1\/responses(\?|$)/.test(target);
        if (isCreating) continue;
        const { status } = ask("key-b", `${method} ${target}`, method === "POST" ? {} : undefined);
        expect(decodings, `${method} ${target}: ${status}`).toContain(status);
      }
    }
  });

  test("is continued by nobody else, whatever names and values another parser may take", () => {
    const ask = proxy();
    const id = idIn(ask("key-a", "POST /v1/responses", create));
    const own = idIn(ask("key-b", "POST /v1/responses", create));
    const bodies = [
      `{"input":"x","previous_response_id":"${id}","previous_response_id":"${own}"}`,
      `{"input":"x","previous_response_id":"${own}","previous_response_id":"${id}"}`,
      `{"input":"x","previous_response_id":"${id}","previous_response_id":null}`,
      `{"input":"x","previous\\u005fresponse_id":"${id}"}`,
      `{"input":"x","previous_response_id":"\\u0072${id.slice(1)}"}`,
      `{"input":"x","previous_response_id":["${id}"]}`,
      `{"input":"x","conversation":"conv_1"}`,
    ];
    for (const target of ["/v1/responses", "/v1/responses#x", "/v1//responses", "/v1/responses/"]) {
      for (const body of bodies) {
        const answer = ask("key-b", `POST ${target}`, body);
        expect([400, 404], `${target} ${body}`).toContain(answer.status);
      }
    }
    const fine = `{"input":"x","previous_response_id":"${own}","conversation":null}`;
    expect(ask("key-b", "POST /v1/responses", fine).status).toBe(200);
  });

  test("and all else that is stored is closed where nobody can tell whose it is", () => {
    const plain = { match: { path: "/plain/" }, target: { pool: "decode" }, byEndpoint: false };
    const shared = { match: { path: "/shared/" }, target: { pool: "decode" }, sharedStorage: true };
    const ask = proxy({}, { routes: [plain, shared] });
    for (const target of [
      "/v1/files",
      "/v1/FILES/file-1/content",
      "/v1/%66iles",
      "/v1/batches/b/cancel",
      "/v1/containers/c/files",
      "/v1/conversations/c/items",
      "/v1/vector_stores",
      "/v1/messages/batches",
      "/plain/v1/files",
      "/plain/v1/responses/resp_1",
      "/plain/v1/responses",
    ]) {
      expect(codeOf(ask("key-a", `GET ${target}`)), target).toBe("GP_SHARED_STORAGE");
    }
    expect(ask("key-a", "GET /shared/v1/files").status).toBe(200);
    expect(ask("key-a", "POST /v1/chat/completions/batch", { messages: [] }).status).toBe(200);
    const one = new World();
    for (const decode of one.decode) decode.script = engine;
    const client = one.client();
    client.send("GET /v1/files HTTP/1.1\r\nHost: p\r\n\r\n", "GET");
    expect(one.responseTo(client).status).toBe(200);
  });

  test("cannot be replaced by one that another tenant gives the same id", () => {
    const ask = proxy();
    const id = idIn(ask("key-a", "POST /v1/responses", create));
    for (const more of [{}, { store: false }]) {
      const given = ask("key-b", "POST /v1/responses", { ...create, ...more, request_id: id });
      expect(idIn(given)).not.toBe(id);
    }
  });
});
