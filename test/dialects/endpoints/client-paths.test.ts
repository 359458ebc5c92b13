/** A client that reaches an engine's control paths can stop it, empty its caches, or run code in it. */

import { describe, expect, it } from "vitest";
import { isForClients, otherClientPaths } from "../../../src/dialects/endpoints/client-paths.ts";
import { controlGroups } from "../../../src/dialects/endpoints/control-paths.ts";
import { endpoints } from "../../../src/dialects/endpoints/endpoints.ts";

const controls = controlGroups.flatMap(({ names }) => names);

describe("is for clients", () => {
  const known = [...endpoints.flatMap(({ paths }) => paths), ...otherClientPaths];
  it.each(known)("%s, also under a prefix, with a query and with a slash at its end", (path) => {
    for (const form of [path, `/eu${path}`, `${path}?debug=/sleep`, `${path}/`, `/${path}`]) {
      expect(isForClients(form), form).toBe(true);
    }
  });

  it.each([
    "*",
    "/",
    "/v1/batches",
    "/v1/files/file-1/content",
    "/v1/chat/completions/batch",
    "/v1/audio/speech",
    "/v1/responses/resp_1/cancel",
    "/v1/models/llama%2F3",
    "/cache-east/v1/models",
    "/a/path/that/nobody/knows",
    "/v2/rerank",
  ])("%s", (path) => {
    expect(isForClients(path)).toBe(true);
  });
});

describe("is not for clients", () => {
  it.each(controls)("%s, however it is written", (name) => {
    const encoded = [...name].map((char) => `%${char.charCodeAt(0).toString(16)}`).join("");
    const forms = [
      `/${name}`,
      `/${name}/`,
      `//${name}`,
      `/./${name}`,
      `/x/../${name}`,
      `/v1/models/../../${name}`,
      `/v1/models/..%2f..%2f${name}`,
      `/%2e/${name}`,
      `/${name.toUpperCase()}`,
      `/${name[0]!.toUpperCase()}${name.slice(1)}/`,
      `/${encoded}`,
      `/${encoded.replaceAll("%", "%25")}`,
      `/${encoded.replaceAll("%", "%2525")}`,
      `/${name}?tags=/v1/models`,
      `/${name}%3f/v1/models`,
      `/${name}%23/v1/models`,
      `/${name};a=b/v1/models`,
      `/${name}/../v1/models`,
      `/${name}/v1/models`,
      `/${name}%20`,
      `/${name}%5c`,
      `/v1/${name}`,
      `/api/v1/${name}/all`,
    ];
    for (const form of forms) expect(isForClients(form), form).toBe(false);
  });

  it.each([
    "/reset_everything",
    "/v1/flush-all",
    "/v1/models/../../reset_everything",
    "/engine/weights_of_all",
    "/Debug2",
    "/%64ebug2",
    "/v1/lora/load",
    "/v1/%zz",
    "/drain",
    "/stop_engine",
    "/v1/kv/clear",
    "/models/unload",
    "/remove_documents",
    "/inject_fault",
  ])("%s, which no engine has yet", (path) => {
    expect(isForClients(path)).toBe(false);
  });
});

it("a path is judged by itself, whatever was asked before", () => {
  expect(isForClients("/v1/models")).toBe(true);
  expect(isForClients("/sleep")).toBe(false);
  expect(isForClients("/v1/models")).toBe(true);
});
