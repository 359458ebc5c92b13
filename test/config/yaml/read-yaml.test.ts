/**
 * Golden errors of YAML files: their texts, lines and columns. `vitest -u` rewrites the expected side. The checks of
 * the whole configuration are tested here as well, since YAML gives each fault its exact place.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkConfig } from "../../../src/config/check/check.ts";
import type { Runtime } from "../../../src/config/check/runtime.ts";
import { formatProblem, inFileOrder } from "../../../src/config/problems/problem.ts";
import { parseYaml } from "../../../src/config/yaml/read-yaml.ts";

const folder = "test/golden/yaml-errors";
const runtime: Runtime = { name: "Node", version: "24.0.0", sharedPorts: true, cores: 4 };

function problemsIn(text: string, file: string, on = runtime): string[] {
  const result = parseYaml(text, file);
  if ("errors" in result) return result.errors.map(formatProblem);
  return inFileOrder(checkConfig(result.config, on).map(result.locate)).map(formatProblem);
}

/** JavaScript engines word errors in regular expressions differently, so that part is not compared. */
const withoutRegexReason = (line: string) =>
  line.replace(/(invalid regular expression "[^"]*"): .*( in )/, "$1: …$2");

const files = readdirSync(folder).filter((name) => /\.(yaml|json)$/.test(name));

test.each(files)("%s", async (name) => {
  const problems = problemsIn(readFileSync(join(folder, name), "utf8"), name);
  expect(problems).not.toEqual([]);
  await expect(`${problems.map(withoutRegexReason).join("\n")}\n`).toMatchFileSnapshot(
    join(process.cwd(), folder, "expected", `${name}.txt`),
  );
});

const small = `servers: [{ listen: [{ port: 80 }], routes: [] }]\n`;

test("anchors, aliases and merges work as in YAML", () => {
  const result = parseYaml(
    `pools:
  prefill: &pool { engines: [&engine { url: 10.0.0.1:80 }], policy: { name: least_conn } }
  decode: { <<: *pool, engines: [*engine] }
${small}`,
    "a.yaml",
  );
  expect(result).toMatchObject({
    config: { pools: { decode: { policy: { name: "least_conn" }, engines: [{ weight: 1 }] } } },
  });
});

test("a fault in an anchored part is reported where that part is written", () => {
  const text = `pools:
  a: { engines: &engines [{ url: "x:0" }] }
  b: { engines: *engines }
${small}`;
  expect(problemsIn(text, "f.yaml")).toEqual([
    '[emerg] invalid engine "x:0": invalid port "0" in f.yaml:2:34',
    '[emerg] invalid engine "x:0": invalid port "0" in f.yaml:2:34',
  ]);
});

describe("KV events that cannot work", () => {
  const pool = (keys: string, url = "a:80") =>
    problemsIn(`pools:\n  p: { engines: [{ url: "${url}" }], ${keys} }\n${small}`, "f.yaml");
  const predictive = "policy: { name: predictive }";

  test.each(["a:80?kv_events_port=x", "a:80?kv_replay_port=70000"])("at %s", (url) => {
    expect(pool(`${predictive}, tokenize: true, kvEvents: {}`, url)).toEqual([
      expect.stringMatching(/invalid port ".*" for kv_/),
    ]);
  });

  test("are reported if no policy uses them", () => {
    expect(pool(`${predictive}, tokenize: true, kvEvents: {}`)).toEqual([]);
    expect(pool(`${predictive}, kvEvents: {}`)).toEqual([
      expect.stringContaining("without tokenize"),
    ]);
    expect(pool("policy: { name: random }, tokenize: true, kvEvents: {}")).toEqual([
      expect.stringContaining("policy random does not use prefix caches"),
    ]);
    expect(pool("policy: { name: llm_d }, tokenize: true, kvEvents: {}")).toEqual([]);
  });
});

describe("workers that this runtime cannot have", () => {
  const old: Runtime = { name: "Node", version: "20.20.2", sharedPorts: false, cores: 4 };

  test("are an error that names what they need", () => {
    expect(problemsIn(`workers: 4\n${small}`, "f.yaml", old)).toEqual([
      "[emerg] 4 workers need Bun, or Node 22.12 or later, on Linux; this is Node 20.20.2 in f.yaml:1:10 " +
        "(use one worker, or install the package bun beside global-proxy)",
    ]);
  });

  test("are one, with a warning, if their number is auto", () => {
    const [warning, ...others] = problemsIn(`workers: auto\n${small}`, "f.yaml", old);
    expect(warning).toMatch(/^\[warn\] only one worker runs: .* in f\.yaml:1:10$/);
    expect(others).toEqual([]);
    expect(problemsIn(`workers: auto\n${small}`, "f.yaml", { ...old, cores: 1 })).toEqual([]);
  });
});
