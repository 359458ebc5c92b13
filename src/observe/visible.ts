/**
 * Characters that a terminal obeys rather than shows, made visible: whoever names a model or a path could else colour,
 * overwrite or reorder what an operator reads. They are C0, DEL, C1, line separators, and those that turn the
 * direction of writing (Unicode UAX #9).
 */
const obeyed =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Each as `\x1B` or `\u202E`, line ends too. */
export function visible(text: string): string {
  return text.replace(obeyed, (one) => {
    const code = one.charCodeAt(0);
    return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
  });
}

/** The same in each line of a text. */
export function visibleLines(text: string): string {
  return text.split("\n").map(visible).join("\n");
}

/** The same value, with all its strings visible: for what puts them into lines. */
export function visibleIn<Value>(value: Value): Value {
  if (typeof value === "string") return visible(value) as Value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(visibleIn) as Value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [visible(name), visibleIn(member)]),
  ) as Value;
}

/** JSON for people, which programs read as the same value. */
export function visibleJson(value: unknown): string {
  const lines = JSON.stringify(value, null, 2).split("\n");
  const escaped = (one: string) => `\\u${hex(one.charCodeAt(0), 4)}`;
  return `${lines.map((line) => line.replace(obeyed, escaped)).join("\n")}\n`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).toUpperCase().padStart(digits, "0");
}
