/** Configurations: loading any text ends, with a configuration or with errors that have a place. */
import { expect } from "vitest";
import { allDirectives } from "../../../src/config/nginx/directives/registry.ts";
import { formatProblem } from "../../../src/config/problems/problem.ts";
import { configSchema } from "../../../src/config/schema/schema.ts";
import { parseYaml } from "../../../src/config/yaml/read-yaml.ts";
import { checkLoads } from "../../config/nginx/in-memory.ts";
import type { Target } from "../fuzzer.ts";

export const nginx: Target = {
  name: "nginx",
  words: [
    ..."{};\"'\\$#~*@=/:[]() \n0az",
    "include self.conf;",
    "location / {",
    "upstream a { server b:1; }",
    "if ($a) {",
    ...allDirectives.map(({ name }) => `${name} `),
  ],
  check: (input) => checkLoads(input.toString("utf8")),
};

export const yaml: Target = {
  name: "yaml",
  words: [
    ...":-{}[],&*!|>'\"%@#? \n\t",
    "&a [*a]",
    "*a",
    "<<: *a",
    "? ",
    "--- ",
    "!!binary ",
    "pools: ",
    "servers: ",
    "routes: ",
    "engines: ",
    "__proto__: ",
    "null",
    "1e999",
    "\xff",
  ],
  check(input) {
    const result = parseYaml(input.toString("utf8"), "/conf/fuzz.yaml");
    if ("errors" in result) {
      expect(result.errors.length).toBeGreaterThan(0);
      for (const problem of result.errors) expect(formatProblem(problem)).toContain("[emerg]");
    } else expect(configSchema.parse(result.config)).toEqual(result.config);
  },
};
