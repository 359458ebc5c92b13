/** `split_clients`: a variable whose values go to shares of all clients. */
import type { ConfigInput } from "../../../schema/schema.ts";
import { parseShare } from "../../../values/share.ts";
import { reading } from "../../reading/arguments.ts";
import { honoured } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import type { Word } from "../../syntax/lexer.ts";
import { newVariable } from "./rewrite.ts";

export type MapInput = NonNullable<ConfigInput["maps"]>[number];

function readSplit([source, variable]: readonly Word[], scope: Scope): MapInput {
  const name = newVariable(variable!, scope);
  scope.loading.variables.declare(name, variable!);
  let total = 0;
  const entries = (scope.node.block ?? []).map(({ name: share, args, block }) => {
    if (block !== undefined) scope.fail('unexpected "{"', share);
    if (args.length !== 1) scope.fail("invalid number of parameters", share);
    const percent = parseShare(share.text) ?? 0;
    if (Number.isNaN(percent)) scope.fail(`invalid percent value "${share.text}"`, share);
    total += percent;
    if (total > 10_000) scope.fail("percent total is greater than 100%", share);
    return { match: share.text, value: literalValue(args[0]!, scope) };
  });
  return { source: scope.template(source!), variable: name, by: "share", entries, cached: true };
}

/** A value that is no template in nginx, where it is one here. */
export function literalValue(word: Word, scope: Scope): string {
  if (word.text.includes("$")) {
    scope.fail(`"$" in a value of "${scope.name}" is not supported`, word, "use map");
  }
  return word.text;
}

export const splitClients = honoured(
  "split_clients",
  ["http"],
  reading(2, 2, readSplit),
  "an item of `maps` with `by: share`",
  {
    block: "entries",
    repeats: true,
    note: "Each value gets the share of clients that it gets in nginx.",
  },
);
