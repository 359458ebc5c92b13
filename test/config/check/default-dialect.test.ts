/** Engines of another dialect than the assumed one would serve everything with 200, and compute each prompt twice. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { Runtime } from "../../../src/config/check/runtime.ts";
import { type ConfigSource, loadConfig } from "../../../src/config/load.ts";

const folder = mkdtempSync(join(tmpdir(), "global-proxy-test-"));
afterAll(() => rmSync(folder, { recursive: true }));
const runtime: Runtime = { name: "Node", version: "24.0.0", sharedPorts: true, cores: 4 };

async function noticesOf(source: ConfigSource, level: "warn" | "notice"): Promise<string[]> {
  const loaded = await loadConfig(source, runtime);
  if ("errors" in loaded) throw new Error(JSON.stringify(loaded.errors));
  const notices = loaded.notices.filter((one) => one.level === level);
  return notices.map(({ message }) => message).filter((text) => text.includes("is assumed"));
}

function fileOf(name: string, text: string): ConfigSource {
  const file = join(folder, name);
  writeFileSync(file, text);
  return { file };
}

const nginx = (more: string) =>
  `events {} http { upstream p { server 127.0.0.1:1; } upstream d { server 127.0.0.1:2; } server { listen 80;
     location / { prefill /p; ${more} proxy_pass http://d; } location /p/ { internal; proxy_pass http://p/; } } }`;

const yaml = (more: string) =>
  `pools: { p: { engines: [{ url: "a:1" }] }, d: { engines: [{ url: "a:2" }] } }
servers: [{ listen: [{ port: 80 }], routes: [{ match: { path: / }, prefill: { pool: p }, target: { pool: d }${more} }] }]`;

const flags = { prefill: ["http://a:1"], decode: ["http://a:2"] };

const forms: [string, "warn" | "notice", ConfigSource, ConfigSource][] = [
  ["flags", "warn", { flags }, { flags: { ...flags, dialect: "omni" } }],
  ["YAML", "warn", fileOf("a.yaml", yaml("")), fileOf("b.yaml", yaml(", dialect: omni"))],
  // The original knows no other engines than these.
  [
    "nginx.conf",
    "notice",
    fileOf("a.conf", nginx("")),
    fileOf("b.conf", nginx("pd_dialect omni;")),
  ],
];

it.each(forms)(
  "%s: an assumed dialect is a %s, a named one is not",
  async (_, level, without, named) => {
    expect(await noticesOf(without, level)).toEqual([expect.stringMatching(/"omni" is assumed/)]);
    expect(await noticesOf(named, level)).toEqual([]);
  },
);

it("says nothing where nothing is prefilled", async () => {
  const source = { flags: { prefill: [], decode: [], engine: ["http://a:1"] } };
  expect(await noticesOf(source, "warn")).toEqual([]);
});
