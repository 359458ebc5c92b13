/** docs/configuration.md and config.schema.json match the schema, and the example on the page is a configuration. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  configurationJsonSchema,
  configurationMarkdown,
} from "../../../src/config/docs/configuration-page.ts";
import { parseYaml } from "../../../src/config/yaml/read-yaml.ts";

test("docs/configuration.md is current: npm run docs writes it", () => {
  expect(readFileSync("docs/configuration.md", "utf8")).toBe(configurationMarkdown());
});

test("config.schema.json is current", () => {
  expect(readFileSync("config.schema.json", "utf8")).toBe(configurationJsonSchema());
});

test("the example in the documentation is a configuration", () => {
  const examples = [...configurationMarkdown().matchAll(/```yaml\n(.*?)```/gs)].map(
    ([, text]) => text!,
  );
  const whole = examples.filter((text) => text.includes("servers:"));
  expect(whole).toHaveLength(1);
  for (const text of whole) expect(parseYaml(text, "example.yaml")).toHaveProperty("config");
});
