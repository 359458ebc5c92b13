/** Pieces of Markdown that the generated pages share. */

/** Columns are not aligned, so that one changed row is one changed line. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Below a table: what its cells have no room for. */
export function notes(entries: readonly (readonly [name: string, text: string])[]): string {
  return entries.map(([name, text]) => `- ${name}: ${text}`).join("\n");
}

export function code(text: string): string {
  return `\`${text}\``;
}

/** Links from one page of `docs/` to another: `docs/admin.md` in code style becomes a link. */
export function withLinks(text: string): string {
  return text.replace(/`docs\/([\w/-]+\.md)`/g, "[$1]($1)");
}
