/** Random JSON objects as text, with everything that a writer may choose: white space, escapes, duplicates. */

import fc from "fast-check";

export interface Member {
  readonly name: string;
  /** As written, with quotes. */
  readonly key: string;
  /** The white space and colon between key and value. */
  readonly colon: string;
  readonly value: string;
}

/** An object whose text is known piece by piece. */
export interface ObjectText {
  readonly members: readonly Member[];
  /** What stands around the members: before the first, between them, after the last. */
  readonly gaps: readonly string[];
  readonly text: string;
}

/** Names that the dialects edit, and some that must not be taken for them. */
export const names = [
  "max_tokens",
  "max_completion_tokens",
  "min_tokens",
  "n",
  "best_of",
  "stream",
  "stream_options",
  "kv_transfer_params",
  "model",
  "messages",
  "__proto__",
  "max_token",
  "max_tokens_",
  "Stream",
  "7",
  "",
];

const space = fc.string({ unit: fc.constantFrom(" ", "\n", "\t", "\r"), maxLength: 3 });

/** One character of a string, written in one of the ways that JSON allows. */
function written(char: string, way: number): string {
  const units = [...Array(char.length).keys()].map((i) => char.charCodeAt(i));
  const hex = units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
  if (way === 1) return hex;
  if (way === 2) return hex.toUpperCase().replaceAll("\\U", "\\u");
  if (char === "/" && way === 3) return "\\/";
  return JSON.stringify(char).slice(1, -1);
}

const character = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...'abmn_ {}[]:,"\\\\\\/\n\té€😀') },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }) },
);

const stringText = fc
  .array(fc.tuple(character, fc.nat(3)), { maxLength: 12 })
  .map((chars) => `"${chars.map(([char, way]) => written(char, way)).join("")}"`);

/** Strings on both sides of the reach of the byte-wise search, with escapes and quotes where the two meet. */
const longStringText = fc
  .tuple(fc.nat(140), fc.constantFrom('\\"', "\\\\", '\\\\\\"', "\\n", ""), fc.nat(140))
  .map(([before, middle, after]) => `"${"x".repeat(before)}${middle}${"}".repeat(after)}"`);

const keyText = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom(...names), fc.array(fc.nat(12), { maxLength: 24 }))
      .map(([name, ways]) => `"${[...name].map((c, i) => written(c, ways[i] ?? 0)).join("")}"`),
  },
  { weight: 1, arbitrary: stringText },
);

const numberText = fc.oneof(
  fc.constantFrom("0", "-0", "1e5", "-1.5E-7", "9007199254740993", "18446744073709551615", "1e999"),
  fc.stringMatching(/^-?(0|[1-9]\d{0,25})(\.\d{1,9})?([eE][+-]?\d{1,2})?$/),
);

const scalarText = fc.oneof(
  numberText,
  stringText,
  longStringText,
  fc.constantFrom("true", "false", "null"),
);

const valueText = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, scalarText, tie("array"), tie("object")),
  array: fc
    .tuple(space, fc.array(fc.tuple(tie("value"), space), { maxLength: 4 }))
    .map(([lead, items]) => `[${lead}${items.map(([v, s]) => v + s).join(`,${lead}`)}]`),
  object: fc
    .tuple(space, fc.array(fc.tuple(keyText, tie("value"), space), { maxLength: 4 }))
    .map(([lead, m]) => `{${lead}${m.map(([k, v, s]) => `${k}${s}:${v}${s}`).join(`,${lead}`)}}`),
})).value;

const member = fc.tuple(keyText, space, space, valueText).map(
  ([key, before, after, value]): Member => ({
    name: JSON.parse(key) as string,
    key,
    colon: `${before}:${after}`,
    value,
  }),
);

export const objectText: fc.Arbitrary<ObjectText> = fc
  .tuple(fc.array(member, { maxLength: 8 }), fc.array(space, { minLength: 20, maxLength: 20 }))
  .map(([members, spaces]) => {
    const gap = (i: number): string => spaces[i]!;
    const gaps = [`${gap(18)}{${gap(0)}`];
    for (let i = 1; i < members.length; i++) gaps.push(`${gap(i)},${gap(i + 8)}`);
    if (members.length > 0) gaps.push("");
    gaps[gaps.length - 1] += `${gap(17)}}${gap(19)}`;
    const written = members.map((m) => m.key + m.colon + m.value);
    return { members, gaps, text: gaps.map((g, i) => g + (written[i] ?? "")).join("") };
  });

/** What a JSON reader sees in an object: name to value, of duplicates the last, in no order. */
export function meaning(text: string): Map<string, unknown> {
  const object = JSON.parse(text) as object;
  return new Map(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The same for members that were never joined to one text. */
export function meaningOf(members: Iterable<readonly [string, string]>): Map<string, unknown> {
  const last = new Map<string, unknown>();
  for (const [name, value] of members) last.set(name, JSON.parse(value));
  return new Map([...last].sort(([a], [b]) => (a < b ? -1 : 1)));
}
