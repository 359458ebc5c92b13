/** Keys while they change: a worker must never be left with those of another configuration, or with revoked ones. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Config } from "../../../src/config/schema/schema.ts";
import { keyLine } from "../../../src/config/values/key-file.ts";
import { parseYaml } from "../../../src/config/yaml/read-yaml.ts";
import { CredentialFiles, readCredentials } from "../../../src/control/process/credentials.ts";
import type { Credentials } from "../../../src/proxy/admission/tenants/credentials.ts";
import { systemClock } from "../../../src/transport/clock.ts";
import { eventually } from "../../support/eventually.ts";

let folder: string;
let given: Credentials[];
let notices: string[];
let files: CredentialFiles;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gp-keys-"));
  given = [];
  notices = [];
  const say = (text: string) => notices.push(text);
  files = new CredentialFiles({
    log: { notice: say, warn: say, error: say },
    ticketKeys: "",
    nowMs: () => systemClock.nowMs(),
    changed: (credentials) => given.push(credentials),
  });
});
afterEach(() => {
  files.close();
  rmSync(folder, { recursive: true });
});

/** A configuration whose key file has these keys, each of a tenant. */
function configured(name: string, keys: number): Config {
  writeKeys(name, keys);
  writeFileSync(join(folder, `${name}.secret`), `key-of-${name}\n`);
  const parsed = parseYaml(
    `
auth: { keyFile: ${join(folder, name)} }
pools:
  ${name}: { engines: [{ url: "http://a:1" }], apiKey: { file: ${join(folder, `${name}.secret`)} } }
servers:
  - listen: [{ port: 1 }]
    routes: [{ match: { path: / }, target: { pool: ${name} } }]
`,
    "gp.yaml",
  );
  if ("errors" in parsed) throw new Error(parsed.errors[0]!.message);
  return parsed.config;
}

function writeKeys(name: string, keys: number): void {
  const lines = Array.from({ length: keys }, (_, index) => keyLine(`sk-${index}`, "acme", ""));
  writeFileSync(join(folder, name), lines.join(""));
}

/** The file of the configuration in force changes, and is read, while another one is handed over. */
const rewritten = (name: string, keys: number) => async () => {
  writeKeys(name, keys);
  await eventually(() => notices.some((text) => text.includes(`${keys} API keys`)));
};

test("keys that are revoked while a reload fails are revoked at workers, too", async () => {
  const before = configured("before", 2);
  files.use(before, readCredentials(before, ""));
  const next = configured("next", 3);
  const handedOver = files.handOver(readCredentials(next, ""), async () => {
    await rewritten("before", 1)();
    throw new Error("bind() failed");
  });
  await expect(handedOver).rejects.toThrow("bind() failed");
  expect(given.map(({ keys }) => keys.length)).toEqual([1]);
});

test("keys of the configuration before do not replace those of a reload", async () => {
  const before = configured("before", 2);
  files.use(before, readCredentials(before, ""));
  const next = configured("next", 3);
  const credentials = readCredentials(next, "");
  await files.handOver(credentials, rewritten("before", 1));
  files.use(next, credentials);
  expect(given).toEqual([]);
  expect(files.current.keys).toHaveLength(3);
});

test("keys that change while the same configuration is applied again are handed over after it", async () => {
  const config = configured("before", 2);
  files.use(config, readCredentials(config, ""));
  await files.handOver(files.current, rewritten("before", 1));
  expect(given.map(({ keys }) => keys.length)).toEqual([1]);
});

test("engines of a new pool are asked with their key before the reload is over", async () => {
  const before = configured("before", 1);
  files.use(before, readCredentials(before, ""));
  const keys = { before: "key-of-before" };
  const next = configured("next", 1);
  await files.handOver(readCredentials(next, ""), async () => {
    expect(files.engineKeys).toEqual({ ...keys, next: "key-of-next" });
  });
  expect(files.engineKeys).toEqual(keys);
});

test("a file that has lost all its keys is read, and warned of", async () => {
  const config = configured("before", 1);
  files.use(config, readCredentials(config, ""));
  await rewritten("before", 0)();
  expect(given.map(({ keys }) => keys.length)).toEqual([0]);
  expect(notices).toContain(
    `${config.auth!.keyFile} has no API keys: each request that needs a key gets 401`,
  );
});
