/** Pages and the JSON Schema in the repository follow from the definitions: `npm run docs` writes them. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { generatedFiles } from "../../../src/config/docs/generated-files.ts";
import { withGeneratedPart } from "../../../src/config/docs/generated-part.ts";
import { table } from "../../../src/config/docs/markdown.ts";

const read = (file: string) => readFileSync(file, "utf8");

it.each([...generatedFiles(read)])("%s is current", (file, text) => {
  expect(read(file)).toBe(text);
});

it("one longer cell changes one line of a table", () => {
  const head = ["a", "b"];
  const before = table(head, [
    ["1", "2"],
    ["3", "4"],
  ]).split("\n");
  const after = table(head, [
    ["1", "2"],
    ["3", "a | very long cell"],
  ]).split("\n");
  expect(after.slice(0, -1)).toEqual(before.slice(0, -1));
  expect(after.at(-1)).toBe("| 3 | a \\| very long cell |");
});

it("only the part between the markers changes, and a page that has lost one is an error", () => {
  const page = "x\n<!-- begin generated: t -->\nold\n<!-- end generated: t -->\ny\n";
  const made = withGeneratedPart(page, "t", "new");
  expect(made).toBe("x\n<!-- begin generated: t -->\n\nnew\n\n<!-- end generated: t -->\ny\n");
  expect(withGeneratedPart(made, "t", "new")).toBe(made);
  expect(() => withGeneratedPart("x\n", "t", "")).toThrow(/begin generated: t/);
});
