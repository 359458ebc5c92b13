/** The examples of docs/tenants.md are copied by people who lock their proxy: each one is accepted as it stands. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { checkConfig } from "../../src/config/check/check.ts";
import { currentRuntime } from "../../src/config/check/runtime.ts";
import { readKeyFile } from "../../src/config/values/key-file.ts";
import { parseYaml } from "../../src/config/yaml/read-yaml.ts";

const page = readFileSync("docs/tenants.md", "utf8");
const blocks = (kind: string) =>
  [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)].flatMap(([, of, text]) =>
    of === kind ? [text!] : [],
  );

/** What an example about tenants alone leaves out. */
const rest = {
  pools: { all: { engines: [{ url: "http://127.0.0.1:8000" }] } },
  servers: [
    { listen: [{ port: 80 }], routes: [{ match: { path: "/" }, target: { pool: "all" } }] },
  ],
};

test.each(blocks("yaml"))("%s", (text) => {
  const read = parseYaml(stringify({ ...rest, ...(parse(text) as object) }), "tenants.yaml");
  if ("errors" in read) expect(read.errors).toEqual([]);
  else expect(checkConfig(read.config, currentRuntime(), read.input)).toEqual([]);
});

test("the file of keys on the page is one", () => {
  const [text = ""] = blocks("").filter((block) => block.includes("sha256:"));
  expect(readKeyFile(text, "keys.txt", ["acme"])).toEqual({
    keys: [{ hash: expect.stringMatching(/^[0-9a-f]{64}$/), tenant: "acme" }],
  });
});
