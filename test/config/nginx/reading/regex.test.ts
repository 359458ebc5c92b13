/** A regular expression of nginx means the same here, or is rejected. */
import { describe, expect, it } from "vitest";
import { translateRegex } from "../../../../src/config/nginx/reading/regex.ts";

describe("expressions that PCRE and JavaScript write differently", () => {
  it.each<[source: string, pattern: string]>([
    ["^/v1(/chat)?/completions$", "^/v1(/chat)?/completions$"],
    ["(?P<name>a)(?P=name)", "(?<name>a)\\k<name>"],
    ["(?'name'a)", "(?<name>a)"],
    ["(?<=a)b(?<!c)(?=d)(?!e)(?:f)", "(?<=a)b(?<!c)(?=d)(?!e)(?:f)"],
    ["a(?#a note)b", "ab"],
    ["\\Aa\\z", "^a$"],
    ["\\h[\\h]", "[ \\t][ \\t]"],
    ["[[:alpha:]_]+[^[:digit:]]", "[A-Za-z_]+[^0-9]"],
    ["[]a]", "[\\]a]"],
    ["[^]a]", "[^\\]a]"],
    ["[(?P<x>]", "[(?P<x>]"],
    ["\\(?P<x>", "\\(?P<x>"],
    ["a\\Qb.c$\\E.\\Q(", "ab\\.c\\$.\\("],
    ["\\.\\/\\-\\d\\b\\x41\\1", "\\.\\/\\-\\d\\b\\x41\\1"],
  ])("%s", (source, pattern) => {
    expect(translateRegex(source).pattern).toBe(pattern);
  });

  it("knows a leading (?i)", () => {
    expect(translateRegex("(?i)^/A")).toMatchObject({ pattern: "^/A", ignoreCase: true });
    expect(translateRegex("^/A")).toMatchObject({ ignoreCase: false });
  });

  it("returns the names of captures", () => {
    const { names } = translateRegex("(?<a>x)(?P<b>y)(?'c'z)(?:w)(?<!v)\\(?<d>");
    expect(names).toEqual(["a", "b", "c"]);
  });

  it("means the same for members of a set", () => {
    const matches = (source: string, text: string) =>
      new RegExp(`^${translateRegex(source).pattern}$`).test(text);
    for (const char of "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") {
      expect(matches("[[:punct:]]", char), char).toBe(true);
    }
    for (const char of "aZ5 \t") expect(matches("[[:punct:]]", char), char).toBe(false);
    expect(matches("[[:graph:]]+", "!~aZ5")).toBe(true);
    expect(matches("[[:graph:]]", " ")).toBe(false);
  });
});

describe("expressions that JavaScript would read as something else", () => {
  it.each([
    ["a\\Kb"],
    ["\\Ga"],
    ["\\R"],
    ["\\X"],
    ["\\p{L}"],
    ["\\x{41}"],
    ["\\k{name}"],
    ["a(?i)b"],
    ["(?i:a)"],
    ["(?>a)"],
    ["a++"],
    ["(?|a|b)"],
    ["(?R)"],
    ["(*UTF8)a"],
    ["[[:nothing:]]"],
    ["[[:^alpha:]]"],
    ["("],
    ["[a"],
    ["a)"],
    ["*"],
    ["\\"],
  ])("refuses %s", (source) => {
    expect(() => translateRegex(source)).toThrow();
  });
});
