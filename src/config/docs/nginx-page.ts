/** docs/nginx.md, made from the tables of directives. */
import { allDirectives } from "../nginx/directives/registry.ts";
import { rejectedFamilies } from "../nginx/directives/rejected.ts";
import type { Directive, Effect } from "../nginx/reading/directive.ts";
import { code, notes, table, withLinks } from "./markdown.ts";
import { nginxDifferences } from "./nginx-differences.ts";
import { comparison, intro, regexNote } from "./nginx-texts.ts";

type Kind = Effect["kind"];

export function nginxDirectivesMarkdown(): string {
  return [
    intro,
    "## Where this differs\n",
    comparison,
    table(["Subject", "Here", "Because"], differenceRows()),
    `\n${regexNote}`,
    "## Honoured directives\n",
    "Names in the third column are keys of [configuration.md](configuration.md).\n",
    table(["Directive", "Context", "Sets", "Default"], honouredRows()),
    `\n${notes(honouredNotes())}`,
    "\n## Accepted without effect\n",
    table(["Directives", "Reason"], ignoredRows()),
    "\n## Rejected\n",
    "These would change what clients get or may do, and the proxy cannot do it. So they are errors.\n",
    table(["Directives", "Instead"], rejectedRows()),
    "",
  ].join("\n");
}

function differenceRows(): string[][] {
  return nginxDifferences.map(({ subject, here, because }) => [subject, here, because]);
}

function effectsOf<Wanted extends Kind>(wanted: Wanted) {
  return allDirectives.filter(
    (one): one is Directive & { readonly effect: Extract<Effect, { kind: Wanted }> } =>
      one.effect.kind === wanted,
  );
}

function honouredRows(): string[][] {
  return effectsOf("honoured").map(({ name, contexts, effect }) => [
    code(name),
    contexts.join(", "),
    withLinks(effect.does),
    effect.byDefault ?? "",
  ]);
}

function honouredNotes(): [string, string][] {
  return effectsOf("honoured").flatMap(({ name, contexts, effect }): [string, string][] => {
    if (effect.note === undefined) return [];
    const isAmbiguous = allDirectives.some(
      (other) => other.name === name && other.effect !== effect,
    );
    const title = isAmbiguous ? `${code(name)} (${contexts.join(", ")})` : code(name);
    return [[title, withLinks(effect.note)]];
  });
}

/** One row per reason. */
function ignoredRows(): string[][] {
  const reasons = new Map<string, Set<string>>();
  for (const { name, effect } of effectsOf("ignored")) {
    const names = reasons.get(effect.because) ?? new Set();
    reasons.set(effect.because, names.add(code(name)));
  }
  return [...reasons].map(([because, names]) => [[...names].join(", "), because]);
}

/** One row per hint. */
function rejectedRows(): string[][] {
  const hints = new Map<string, string[]>();
  const add = (hint: string, text: string) => {
    hints.set(hint, [...(hints.get(hint) ?? []), text]);
  };
  for (const { name, effect } of effectsOf("rejected")) {
    const words = effect.except.map(code).join(", ");
    add(effect.hint, words === "" ? code(name) : `${code(name)} (unless ${words})`);
  }
  for (const { name, hint } of rejectedFamilies) add(hint, code(name));
  return [...hints].map(([hint, names]) => [names.join(", "), hint || "nothing yet"]);
}
