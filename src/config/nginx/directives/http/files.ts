/** Files that locations respond with. */
import { flag, many, number, oneOf, reading, words } from "../../reading/arguments.ts";
import { anyHttp, anyHttpAndIf } from "../../reading/context.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import { parseNumber } from "../../reading/units.ts";
import type { Word } from "../../syntax/lexer.ts";

function readFolder([word]: readonly Word[], scope: Scope): string {
  if (/\$\{?(?:document_root|realpath_root)\b/.test(word!.text)) {
    const name = /realpath/.test(word!.text) ? "realpath_root" : "document_root";
    scope.fail(`the $${name} variable cannot be used in the "${scope.name}" directive`, word);
  }
  return scope.template(word!, scope.folder(word!.text));
}

export const root = honoured(
  "root",
  anyHttpAndIf,
  reading(1, 1, (args, scope) => readFolder(args, scope).replace(/\/$/, "")),
  "`files.root`",
  {
    byDefault: "none",
    note:
      "nginx's default is `html`. A location without `proxy_pass` responds with files if it has a `root` or an " +
      "`alias`.",
  },
);

export const alias = honoured(
  "alias",
  ["location"],
  reading(1, 1, readFolder),
  "`files.root` and `replaces`",
);

export const index = honoured(
  "index",
  anyHttp,
  reading(1, many, (args, scope) => args.map((word) => scope.template(word))),
  "`files.index`",
  { repeats: true, byDefault: "`index.html`" },
);

export interface Tries {
  readonly tries: string[];
  readonly otherwise: string;
}

export const tryFiles = honoured(
  "try_files",
  ["server", "location"],
  reading(2, many, (args, scope): Tries => {
    const last = args.at(-1)!;
    const [, code] = /^=(.*)$/s.exec(last.text) ?? [];
    const status = code === undefined ? 0 : parseNumber(code);
    if (status === undefined || status > 999) scope.fail(`invalid code "${last.text}"`, last);
    const tries = args.slice(0, -1).map((word) => scope.template(word));
    return { tries, otherwise: scope.template(last) };
  }),
  "`files.tries` and `otherwise`",
);

export const etag = honoured("etag", anyHttp, flag, "`files.etag`", { byDefault: "on" });
export const modifiedSince = honoured(
  "if_modified_since",
  anyHttp,
  oneOf("off", "exact", "before"),
  "`files.modifiedSince`",
  { byDefault: "exact" },
);

const noListing = "there are no listings of folders";

export const fileDirectives: readonly Directive[] = [
  root,
  alias,
  index,
  tryFiles,
  etag,
  modifiedSince,
  ignored("max_ranges", anyHttp, number, "of several ranges the whole file is sent"),
  ignored("autoindex_exact_size", anyHttp, flag, noListing),
  ignored("autoindex_format", anyHttp, words(1), noListing),
  ignored("autoindex_localtime", anyHttp, flag, noListing),
];
