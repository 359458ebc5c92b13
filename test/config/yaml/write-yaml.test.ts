/** Written YAML loads back to the same configuration, and leaves defaults out. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { loadNginx } from "../../../src/config/nginx/load.ts";
import { diskFiles } from "../../../src/config/nginx/syntax/files.ts";
import { inputSchema } from "../../../src/config/schema/expected.ts";
import { type Config, configSchema } from "../../../src/config/schema/schema.ts";
import { parseYaml } from "../../../src/config/yaml/read-yaml.ts";
import { toFullYaml, toYaml } from "../../../src/config/yaml/write-yaml.ts";

function loadsBack(config: Config, yaml: string): void {
  const result = parseYaml(yaml, "a.yaml");
  if ("errors" in result) throw new Error(JSON.stringify(result.errors));
  expect(result.config).toEqual(config);
}

const confs = ["examples", "test/golden/nginx"].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".conf") && !name.startsWith("included"))
    .map((name) => join(folder, name)),
);

test.each(confs)("%s", (file) => {
  const result = loadNginx(file, { ...diskFiles, prefix: "/prefix" });
  if (result.config === undefined) throw new Error(JSON.stringify(result.errors));
  loadsBack(result.config, toYaml(result.config));
  loadsBack(result.config, toFullYaml(result.config));
});

const small = { servers: [{ listen: [{ port: 80 }], routes: [] }] };

test("defaults are left out", () => {
  expect(parse(toYaml(configSchema.parse(small)))).toEqual(small);
});

describe("a value that is a default elsewhere is not left out", () => {
  test.each([
    { ...small, workers: "auto" },
    { ...small, errorLog: { level: "debug" } },
    {
      ...small,
      pools: { p: { engines: [{ url: "a:1" }], policy: { name: "random", two: true } } },
    },
    { ...small, pools: { p: { engines: [{ url: "a:1" }], policy: { name: "random" } } } },
    { ...small, pools: { on: { engines: [{ url: "a:1" }], keepAlive: { idleMs: 0 } } } },
    {
      ...small,
      maps: [{ source: "$uri", variable: "x", entries: [{ match: "~a: b #", value: "" }] }],
    },
    {
      servers: [
        {
          listen: [{ unixPath: "/run/a" }, { host: "::", port: 0 }],
          names: ["", "~^a$"],
          routes: [
            { match: { path: "/" }, requestId: false, setHeaders: { Host: "", "X-A": "on" } },
            { match: { path: "/a" }, retry: { on: [] }, target: { pool: "p", uri: "/" } },
            { match: { path: "/b" }, target: { url: "http://$host" }, prefill: { location: "/c" } },
            {
              match: { path: "/d" },
              steps: [{ break: true }, { return: { status: 200, text: "" } }],
            },
          ],
        },
      ],
    },
  ])("%j", (input) => {
    const config = configSchema.parse(input);
    expect(parse(toYaml(config))).toEqual(input);
    loadsBack(config, toYaml(config));
  });
});

test("the JSON Schema has the default of each key that the schema fills in", () => {
  const full = configSchema.parse({ ...small, pools: { p: { engines: [{ url: "a:1" }] } } });
  const { properties = {}, required = [] } = inputSchema();
  for (const key of Object.keys(full)) {
    const known = required.includes(key) || "default" in (properties[key] ?? {});
    expect(known, key).toBe(true);
  }
});
