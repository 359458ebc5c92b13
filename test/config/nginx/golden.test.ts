/**
 * Golden pairs: nginx.conf → the configuration that it means, and wrong ones → what is said about them.
 * `vitest -u` rewrites the expected side.
 */
import { readdirSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { checkConfig } from "../../../src/config/check/check.ts";
import { loadNginx } from "../../../src/config/nginx/load.ts";
import { diskFiles } from "../../../src/config/nginx/syntax/files.ts";
import { formatProblem } from "../../../src/config/problems/problem.ts";
import { configSchema } from "../../../src/config/schema/schema.ts";
import { toYaml } from "../../../src/config/yaml/write-yaml.ts";
import { withoutNginxDefaults } from "./nginx-defaults.ts";

const golden = "test/golden/nginx";
const goldenErrors = "test/golden/nginx-errors";
const runtime = { name: "Node", version: "24.0.0", sharedPorts: true, cores: 4 } as const;

function confsIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".conf") && !name.startsWith("included"))
    .map((name) => join(folder, name))
    .sort();
}

/** `examples/seed/nginx.conf` → `seed-nginx`. */
function nameOf(file: string): string {
  return relative(file.startsWith(golden) ? golden : "examples", file)
    .replace(/\.conf$/, "")
    .replaceAll("/", "-");
}

function load(file: string) {
  return loadNginx(file, { ...diskFiles, prefix: "/prefix" });
}

describe("golden configurations", () => {
  it.each([...confsIn(golden), ...confsIn("examples")])("%s", async (file) => {
    const result = load(file);
    expect((result.errors ?? []).map(formatProblem)).toEqual([]);
    const { config, input, notices, locate } = result as Extract<typeof result, { config: object }>;
    expect(configSchema.parse(input)).toEqual(config);
    const found = checkConfig(config, runtime).map(locate);
    expect(found.filter(({ level }) => level === "emerg").map(formatProblem)).toEqual([]);
    const expected = {
      notices: [...notices, ...found].map(formatProblem),
      config: withoutNginxDefaults(parse(toYaml(config))),
    };
    await expect(`${JSON.stringify(expected, null, 2)}\n`).toMatchFileSnapshot(
      join(process.cwd(), golden, "expected", `${nameOf(file)}.json`),
    );
  });
});

describe("golden errors", () => {
  it.each(confsIn(goldenErrors))("%s", async (file) => {
    const { errors = [], notices } = load(file);
    expect(errors).not.toEqual([]);
    const lines = [...errors, ...notices.filter(({ level }) => level === "warn")];
    await expect(`${lines.map(formatProblem).join("\n")}\n`).toMatchFileSnapshot(
      join(process.cwd(), goldenErrors, "expected", `${basename(file, ".conf")}.txt`),
    );
  });
});
