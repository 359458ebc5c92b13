/** Splits a template such as `"$remote_addr - ${status}"` into literals and variable names. */

export type TemplatePart =
  | { readonly literal: string; readonly variable?: never }
  | { readonly literal?: never; readonly variable: string };

const nameCharacter = /[A-Za-z0-9_]/;

/** Thrown for a `$` without a variable name, or a `${` that is not closed. `offset` counts characters. */
export class TemplateError extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.name = "TemplateError";
    this.offset = offset;
  }
}

/** Adjacent literals are merged; an empty template has no parts. `$1` to `$9` are single digits, as in nginx. */
export function parseTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let literalStart = 0;
  let at = 0;
  while (at < text.length) {
    if (text[at] !== "$") {
      at += 1;
      continue;
    }
    if (at > literalStart) parts.push({ literal: text.slice(literalStart, at) });
    const { variable, end } = readVariable(text, at);
    parts.push({ variable });
    at = end;
    literalStart = end;
  }
  if (text.length > literalStart) parts.push({ literal: text.slice(literalStart) });
  return parts;
}

function readVariable(text: string, dollar: number): { variable: string; end: number } {
  const next = text[dollar + 1] ?? "";
  if (/[1-9]/.test(next)) return { variable: next, end: dollar + 2 };
  const braced = next === "{";
  const start = dollar + (braced ? 2 : 1);
  let end = start;
  while (end < text.length && nameCharacter.test(text[end] ?? "")) end += 1;
  if (end === start) throw new TemplateError("invalid variable name", dollar);
  if (!braced) return { variable: text.slice(start, end), end };
  if (text[end] !== "}")
    throw new TemplateError("the closing brace of a variable is missing", dollar);
  return { variable: text.slice(start, end), end: end + 1 };
}
