/** Whoever can change an issuer's keys on their way can make tokens: they come by https, or from this machine. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Runtime } from "../../../src/config/check/runtime.ts";
import { loadConfig } from "../../../src/config/load.ts";

const folder = mkdtempSync(join(tmpdir(), "global-proxy-test-"));
afterAll(() => rmSync(folder, { recursive: true }));
const runtime: Runtime = { name: "Node", version: "24.0.0", sharedPorts: true, cores: 4 };

async function problems(jwt: string): Promise<string[]> {
  const file = join(folder, "gp.yaml");
  writeFileSync(
    file,
    `
auth: { jwt: { ${jwt} } }
tenants: { t: {} }
pools: { all: { engines: [{ url: "http://a:1" }] } }
servers:
  - listen: [{ port: 1 }]
    routes: [{ match: { path: / }, target: { pool: all } }]
`,
  );
  const loaded = await loadConfig({ file }, runtime);
  return "errors" in loaded ? loaded.errors.map(({ message }) => message) : [];
}

test.each([
  "https://login.example.com/keys",
  "http://localhost:8080/keys",
  "http://127.0.0.1/keys",
  "http://[::1]:1/",
])("%s is taken", async (url) => {
  expect(await problems(`jwksUrl: "${url}"`)).toEqual([]);
});

test.each([
  "http://login.example.com/keys",
  "http://127.0.0.1.example.com/",
  "file:///keys",
  "keys",
])("%s is not", async (url) => {
  expect(await problems(`jwksUrl: "${url}"`)).toEqual([expect.stringContaining("invalid URL")]);
});

test("one kind of key is named, and only one", async () => {
  expect((await problems('jwksUrl: "https://a/", jwksFile: f'))[0]).toContain("cannot be combined");
  expect((await problems("issuer: x"))[0]).toContain("cannot be verified without a key");
});
