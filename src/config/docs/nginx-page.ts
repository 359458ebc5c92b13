/** docs/nginx.md, from the table of directives. Run by `npm run docs`. */

import { allDirectives } from "../nginx/directives/registry.ts";
import { rejectedFamilies } from "../nginx/directives/rejected.ts";
import type { Directive } from "../nginx/reading/directive.ts";

const intro = `# nginx.conf

<!-- Made by \`npm run docs\` from src/config/docs/nginx-page.ts and the tables in src/config/nginx/directives/. -->

Use an nginx.conf as it is:

\`\`\`sh
global-proxy -t -c nginx.conf          # reports every mistake, in nginx's words, with file, line and column
global-proxy -c nginx.conf             # serves
global-proxy convert nginx.conf        # prints the YAML that means the same (configuration.md)
\`\`\`

Prefill and decode on different engines take two locations. \`prefill\` names the one that the prompt goes to first, and
\`pd_dialect\` the protocol by which the engines move the KV cache ([dialects.md](dialects.md)):

\`\`\`nginx
upstream prefill_servers { length_balance; server 10.0.0.1:8000; server 10.0.0.2:8000; }
upstream decode_servers  { least_conn;     server 10.0.0.3:8000; }

server {
    listen 8080;
    location /v1/completions {
        prefill /prefill_internal;
        pd_dialect vllm-nixl;
        proxy_pass http://decode_servers;
    }
    location /prefill_internal {
        internal;
        rewrite /prefill_internal/(.*) /$1 break;
        proxy_pass http://prefill_servers;
    }
}
\`\`\`

Whole files are in [examples/](../examples/README.md). Directives without an effect here are reported once each.
Blocks inherit as in nginx: a directive holds for the blocks inside, until one of them has it too; of directives that
may be repeated, such as \`proxy_set_header\`, \`access_log\` and \`error_page\`, a block that has any inherits none.

## Where this differs from nginx

- **Connections to engines are pooled with or without \`keepalive\`**: 256 for each engine and worker, unless
  \`keepalive\` says otherwise. HTTP/1.1 is used whatever \`proxy_http_version\` says. Without \`keepalive_timeout\`
  in the upstream they idle for 4 s at most, since uvicorn closes connections after 5 s (nginx's default is 60 s).
- **\`worker_connections\`** counts clients only. The default is 65,536, not 512.
- **No access log is written** unless \`access_log\` says so.
- **There is one error log**, to stderr unless \`error_log\` says otherwise.
- **\`server\` addresses are resolved when a connection is made**, not at start. \`backend\` in \`proxy_pass
  http://backend\` is an upstream, or a host if no upstream has this name.
- **A variable in the host of \`proxy_pass\`** must give the name of an upstream, or an address that another
  \`proxy_pass\` names.
- **Regular expressions** are JavaScript's. PCRE syntax is translated if that is exact (\`[[:alpha:]]\`, \`\\h\`,
  \`\\A\`, \`\\z\`, \`(?P<name>…)\`, a leading \`(?i)\` of locations and maps); possessive and atomic groups,
  \`\\Q…\\E\`, \`\\K\` and inner flags are rejected.
- **Names of variables** are case-sensitive; in nginx they are not.
- **\`;;\`**, a missing \`events\` block and a missing \`mime.types\` are accepted.
- **Times** longer than a day are taken as one day.
- **\`listen … ssl\`**, \`if\`, Lua, files and access control are rejected, not ignored: see [Rejected](#rejected).
`;

export function nginxDirectivesMarkdown(): string {
  const kind = (wanted: Directive["effect"]["kind"]) =>
    allDirectives.filter(({ effect }) => effect.kind === wanted);
  return [
    intro,
    "## Honoured\n",
    "Names in code style are settings of [configuration.md](configuration.md). Defaults follow the semicolon.\n",
    ...table(["Directive", "Allowed in", "Meaning"], kind("honoured").map(honouredRow)),
    "\n## Accepted without effect\n",
    ...table(["Directive", "Because"], ignoredRows(kind("ignored"))),
    "\n## Rejected\n",
    "These would change what clients get or may do, and are not supported.\n",
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
