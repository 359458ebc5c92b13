/** docs/nginx.md, from the table of directives. Run by `npm run docs`. */

import { allDirectives } from "../nginx/directives/registry.ts";
import { rejectedFamilies } from "../nginx/directives/rejected.ts";
import type { Directive } from "../nginx/reading/directive.ts";

const intro = `# nginx.conf

<!-- Made by scripts/docs-nginx.ts from the tables in src/config/nginx/directives/. -->

\`global-proxy -c FILE\` reads nginx's own format. \`global-proxy -t -c FILE\` checks it: mistakes are told in nginx's words with
file, line and column, all of them at once. What has no effect here is told once per directive. \`global-proxy convert FILE\`
prints the YAML that means the same (\`docs/configuration.md\`).

What a block inherits is nginx's rule: a directive holds for the blocks inside, until one of them has it too; of those that may
stand several times, such as \`proxy_set_header\`, \`access_log\` and \`error_page\`, a block that has any inherits none.

## Where this differs from nginx

- **Connections to engines are pooled with or without \`keepalive\`**, 256 for each engine and worker unless it says otherwise, and
  HTTP/1.1 is spoken whatever \`proxy_http_version\` says. They idle for 4 s when the upstream has no \`keepalive_timeout\`: uvicorn closes
  after 5 s. nginx's default would be 60 s; a \`keepalive_timeout\` that is written is honoured.
- **\`worker_connections\`** counts clients only, and without it there is room for 65,536, not 512.
- **No access log is written** unless \`access_log\` says so.
- **There is one error log**, to stderr unless \`error_log\` says otherwise.
- **\`server\` addresses are resolved when a connection is made**, not at start. \`backend\` in \`proxy_pass http://backend\` is an upstream; if none
  has this name, a host.
- **A variable in the host of \`proxy_pass\`** must lead to an upstream by its name, or to an address that another \`proxy_pass\` names.
- **Regular expressions** are JavaScript's. What only PCRE knows is translated where that is exact (\`[[:alpha:]]\`, \`\\h\`, \`\\A\`, \`\\z\`,
  \`(?P<name>…)\`, a leading \`(?i)\` of locations and maps) and otherwise refused: possessive and atomic groups, \`\\Q…\\E\`, \`\\K\`, inner flags.
- **Variables** have the letter case in which they are made; nginx takes them in any.
- **\`;;\`** and an absent \`events\` block are accepted, and a \`mime.types\` that is not there is not missed.
- **Times** longer than a day are taken as one day.
- **\`listen … ssl\`**, \`if\`, Lua, files and access control are refused, not ignored: see below.
`;

export function nginxDirectivesMarkdown(): string {
  const kind = (wanted: Directive["effect"]["kind"]) =>
    allDirectives.filter(({ effect }) => effect.kind === wanted);
  return [
    intro,
    "## Honoured\n",
    "Defaults stand behind the semicolon. Names in code style are those of `docs/configuration.md`.\n",
    ...table(["Directive", "Stands in", "Says"], kind("honoured").map(honouredRow)),
    "\n## Accepted without effect\n",
    ...table(["Directive", "Because"], ignoredRows(kind("ignored"))),
    "\n## Refused\n",
    "These would change what clients get or may do, and they are not built.\n",
    ...table(["Directive", "Instead"], rejectedRows(kind("rejected"))),
    "",
  ].join("\n");
}

function honouredRow({ name, contexts, effect }: Directive): string[] {
  const does = effect.kind === "honoured" ? effect.does : "";
  return [code(name), contexts.join(", "), does];
}

/** One row per reason. */
function ignoredRows(directives: readonly Directive[]): string[][] {
  const reasons = new Map<string, Set<string>>();
  for (const { name, effect } of directives) {
    if (effect.kind !== "ignored") continue;
    const names = reasons.get(effect.because) ?? new Set();
    reasons.set(effect.because, names.add(code(name)));
  }
  return [...reasons].map(([because, names]) => [[...names].join(", "), because]);
}

/** One row per hint. */
function rejectedRows(directives: readonly Directive[]): string[][] {
  const hints = new Map<string, string[]>();
  const add = (hint: string, text: string) => {
    hints.set(hint, [...(hints.get(hint) ?? []), text]);
  };
  for (const { name, effect } of directives) {
    if (effect.kind !== "rejected") continue;
    const words = effect.except.map(code).join(", ");
    add(effect.hint, words === "" ? code(name) : `${code(name)} (unless ${words})`);
  }
  for (const { name, hint } of rejectedFamilies) add(hint, code(name));
  return [...hints].map(([hint, names]) => [names.join(", "), hint || "nothing yet"]);
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}
