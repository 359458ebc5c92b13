/** The configuration as YAML is written, in lines: so that it can be searched and read. */

export interface ConfigLine {
  readonly indent: number;
  readonly key: string;
  /** "" = what follows belongs to it. */
  readonly value: string;
}

export function configLines(value: unknown, indent = 0): ConfigLine[] {
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown) => {
      if (!isGroup(item)) return [{ indent, key: "-", value: scalarText(item) }];
      const [first, ...rest] = configLines(item, indent + 1);
      if (first === undefined) return [{ indent, key: "-", value: "{}" }];
      return [{ ...first, indent, key: `- ${first.key}` }, ...rest];
    });
  }
  return Object.entries(value as Readonly<Record<string, unknown>>).flatMap(([key, member]) => {
    if (!isGroup(member)) return [{ indent, key: `${key}:`, value: scalarText(member) }];
    const inner = configLines(member, indent + 1);
    if (inner.length > 0) return [{ indent, key: `${key}:`, value: "" }, ...inner];
    return [{ indent, key: `${key}:`, value: Array.isArray(member) ? "[]" : "{}" }];
  });
}

const isGroup = (value: unknown): value is object => typeof value === "object" && value !== null;

function scalarText(value: unknown): string {
  if (typeof value !== "string") return String(value);
  return /^[\w./@*-][\w ./:@*%$-]*$/.test(value) && value.trim() === value
    ? value
    : JSON.stringify(value);
}
