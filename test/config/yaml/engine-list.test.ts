/** Files that list engines: the forms that they may have, and what is said of wrong ones, with the place. */
import { describe, expect, it } from "vitest";
import { formatProblem } from "../../../src/config/problems/problem.ts";
import { readEngineList } from "../../../src/config/yaml/engine-list.ts";

function urlsOf(text: string, labels?: Record<string, string>): string[] {
  const list = readEngineList(text, "f.yaml", labels);
  return "engines" in list ? list.engines.map(({ url }) => url) : list.errors.map(formatProblem);
}

describe("engines may be listed", () => {
  it.each([
    ["as texts", "- a:1\n- http://b:2\n", ["a:1", "http://b:2"]],
    ["as in a pool", "- { url: a:1, weight: 3 }", ["a:1"]],
    ["as a pool", "engines: [a:1, { url: b:2 }]", ["a:1", "b:2"]],
    ["in JSON", '["a:1", {"url": "b:2@0-1"}]', ["a:1", "b:2@0-1"]],
    ["as file_sd", '[{"targets": ["a:1", "b:2"], "labels": {"job": "x"}}]', ["a:1", "b:2"]],
    ["in an empty list", "[]", []],
    ["in an empty pool", "engines: []", []],
  ])("%s", (_, text, urls) => {
    expect(urlsOf(text)).toEqual(urls);
  });

  it("by labels, of which only those that are settings or attributes count", () => {
    const labels =
      '{weight: "4", max_conns: "8", draining: "true", bootstrap_port: "8998", __meta_x: y}';
    const list = readEngineList(`- { targets: [a:1], labels: ${labels} }`, "f");
    expect(list).toMatchObject({
      engines: [{ weight: 4, maxConns: 8, draining: true, attributes: { bootstrap_port: "8998" } }],
    });
  });

  it("for several pools in one file", () => {
    const text =
      "- { targets: [a:1], labels: { role: prefill } }\n- { targets: [b:1], labels: { role: decode } }\n";
    expect(urlsOf(text, { role: "decode" })).toEqual(["b:1"]);
    expect(urlsOf(text)).toEqual(["a:1", "b:1"]);
  });
});

describe("what is wrong is said with its place", () => {
  it.each([
    ["", "[emerg] the file is empty in f.yaml (an empty list is written as [])"],
    ["# nothing yet\n", "[emerg] the file is empty in f.yaml (an empty list is written as [])"],
    [
      "- a:1\n- { url: b:1, wieght: 3 }\n",
      '[emerg] unknown key "wieght" in [1] in f.yaml:2:15 (did you mean "weight"?)',
    ],
    [
      "- { url: a:1, weight: 0 }",
      "[emerg] [0].weight must be a whole number from 1 to 1000, not 0 in f.yaml:1:23",
    ],
    [
      "- ftp://a:1",
      '[emerg] invalid engine "ftp://a:1": the scheme must be http or https, not ftp in f.yaml:1:3',
    ],
    [
      "- targets:\n  - a:1\n  - b:x\n",
      '[emerg] invalid engine "b:x": invalid port "x" in f.yaml:3:5',
    ],
    [
      '- targets: [a:1]\n  labels: { weight: "much" }\n',
      '[emerg] label weight must be a number in range, not "much" in f.yaml:2:21',
    ],
    ["engins: []", '[emerg] unknown key "engins" in f.yaml:1:1 (did you mean "engines"?)'],
  ])("%j", (text, problem) => {
    expect(urlsOf(text)).toEqual([problem]);
  });

  it("of half a file in JSON", () => {
    expect(urlsOf('[{"targets": ["a:1"')[0]).toMatch(
      /^\[emerg\] invalid YAML: .* in f\.yaml:1:\d+/,
    );
  });
});
