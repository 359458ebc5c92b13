/** A file of keys is written by hand: what is wrong in it is said with its place, and without what may be a key. */
import { describe, expect, test } from "vitest";
import { formatProblem } from "../../../src/config/problems/problem.ts";
import { hashOfKey, keyLine, readKeyFile } from "../../../src/config/values/key-file.ts";

const hash = hashOfKey("sk-gp-one");
const read = (text: string, tenants: readonly string[] = []) => readKeyFile(text, "keys", tenants);

test("comments, blank lines and notes are no keys", () => {
  const text = `# ours\r\n\n  ${keyLine("sk-gp-one", "acme", "Ann's laptop")}sha256:${hashOfKey("two")}\tbeta`;
  expect(read(text)).toEqual({
    keys: [
      { hash, tenant: "acme" },
      { hash: hashOfKey("two"), tenant: "beta" },
    ],
  });
});

describe("what is wrong with a line", () => {
  test.each([
    ["sk-gp-secretsecret acme", "keys:1:1 (global-proxy key TENANT makes a key"],
    ["sha256:12 acme", "keys:1:1"],
    [`sha256:${hash}`, "the tenant of the key is missing in keys:1:1"],
    [`sha256:${hash} acm`, 'unknown tenant "acm" in keys:1:73 (did you mean "acme"?)'],
    [`\nsha256:${hash} acme\nsha256:${hash} acme`, "this key stands in line 2 already in keys:3:1"],
  ])("%s", (text, expected) => {
    const result = read(text, ["acme", "beta"]);
    const lines = "errors" in result ? result.errors.map(formatProblem) : [];
    expect(lines).toEqual([expect.stringContaining(expected)]);
    expect(lines.join()).not.toContain("secretsecret");
  });
});
