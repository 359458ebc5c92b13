/** What the tables in `directives/` consist of: one entry per directive, saying where it may stand and what becomes of it. */
import type { Arguments } from "./arguments.ts";
import type { Context } from "./context.ts";

/** What becomes of a directive. The texts go into `docs/nginx.md`, and the last two into messages too. */
export type Effect =
  | { readonly kind: "honoured"; readonly does: string }
  | { readonly kind: "ignored"; readonly because: string }
  /** Words with which the directive asks for nothing, such as `off`, are accepted. */
  | { readonly kind: "rejected"; readonly hint: string; readonly except: readonly string[] };

export interface Directive<Value = unknown> {
  readonly name: string;
  /** Empty = anywhere. */
  readonly contexts: readonly Context[];
  readonly args: Arguments<Value>;
  /** The context that its block opens; `entries` = the block holds lines of its own kind, kept as they are. */
  readonly block?: Context | "entries";
  /** Whether a block may hold several. */
  readonly repeats: boolean;
  readonly effect: Effect;
}

interface Options {
  readonly block?: Context | "entries";
  readonly repeats?: boolean;
}

export function honoured<Value>(
  name: string,
  contexts: readonly Context[],
  args: Arguments<Value>,
  does: string,
  { repeats = false, ...options }: Options = {},
): Directive<Value> {
  return { name, contexts, args, repeats, effect: { kind: "honoured", does }, ...options };
}

/** Its arguments are checked all the same: a slip in them shows a misunderstanding. */
export function ignored(
  name: string,
  contexts: readonly Context[],
  args: Arguments<unknown>,
  because: string,
  { repeats = false, ...options }: Options = {},
): Directive {
  return { name, contexts, args, repeats, effect: { kind: "ignored", because }, ...options };
}

/** Not built yet, or not wanted: an error, since running without it would not be what the operator meant. */
export function rejected(name: string, hint = "", except: readonly string[] = []): Directive {
  const effect: Effect = { kind: "rejected", hint, except };
  return { name, contexts: [], args: anything, repeats: true, effect };
}

const anything: Arguments<unknown> = { min: 0, max: Number.POSITIVE_INFINITY, read: () => null };
