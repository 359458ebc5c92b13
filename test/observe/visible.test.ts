/** What clients name must not colour, overwrite or reorder what an operator reads in a terminal. */
import { expect, test } from "vitest";
import { visible, visibleIn, visibleJson, visibleLines } from "../../src/observe/visible.ts";

const obeyed = "\u0000\u0007\t\n\r\u001b\u007f\u0085\u009b\u200f\u2028\u202a\u202e\u2066\u2069";
const hasObeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

test("each character that a terminal obeys is written out, and all others stay", () => {
  expect(visible("ll\u001b]0;PWN\u0007\u001b[31mX")).toBe("ll\\x1B]0;PWN\\x07\\x1B[31mX");
  expect(visible("a\nb\u009b\u202ec")).toBe("a\\x0Ab\\x9B\\u202Ec");
  expect(visible("Größe — 模型 🙂\\")).toBe("Größe — 模型 🙂\\");
  expect(visibleLines("a\u001b\nb")).toBe("a\\x1B\nb");
});

test("strings at any depth are made visible, names of members too", () => {
  const value = { [obeyed]: [{ model: obeyed, count: 3, none: null }], none: undefined };
  const shown = visible(obeyed);
  const expected = { [shown]: [{ model: shown, count: 3, none: null }], none: undefined };
  expect(visibleIn(value)).toEqual(expected);
  expect(shown).toMatch(/^[ -~]+$/);
  expect(visibleIn({ rows: Number.POSITIVE_INFINITY }).rows).toBe(Number.POSITIVE_INFINITY);
});

test("JSON for a terminal means the same value and holds none of them", () => {
  const text = visibleJson({ model: obeyed, list: [1] });
  expect(text).not.toMatch(hasObeyed);
  expect(JSON.parse(text)).toEqual({ model: obeyed, list: [1] });
});
