/** What the tables in `directives/` consist of: one entry per directive, with its place, arguments and effect. */
import type { Arguments } from "./arguments.ts";
import type { Context } from "./context.ts";

/** What becomes of a directive. `docs/nginx.md` has these texts; messages have those of the last two kinds. */
export type Effect =
  | {
      readonly kind: "honoured";
      /** The key of the configuration that it sets, as a phrase. */
      readonly does: string;
      /** The value without the directive. */
      readonly byDefault?: string;
      /** Sentences that stand below the table. */
      readonly note?: string;
    }
  | { readonly kind: "ignored"; readonly because: string }
  /** Arguments in `except`, such as `off`, ask for nothing and are accepted. */
  | { readonly kind: "rejected"; readonly hint: string; readonly except: readonly string[] };

export interface Directive<Value = unknown> {
  readonly name: string;
  /** Empty = anywhere. */
  readonly contexts: readonly Context[];
  readonly args: Arguments<Value>;
  /** The context that its block opens; `entries` = the block has lines of its own kind, which are left as they are. */
  readonly block?: Context | "entries";
  /** Whether a block may have several. */
  readonly repeats: boolean;
  readonly effect: Effect;
}

interface Options {
  readonly block?: Context | "entries";
  readonly repeats?: boolean;
}

interface HonouredOptions extends Options {
  readonly byDefault?: string;
  readonly note?: string;
}

export function honoured<Value>(
  name: string,
  contexts: readonly Context[],
  args: Arguments<Value>,
  does: string,
  { repeats = false, byDefault, note, ...options }: HonouredOptions = {},
): Directive<Value> {
  const effect: Effect = {
    kind: "honoured",
    does,
    ...(byDefault !== undefined && { byDefault }),
    ...(note !== undefined && { note }),
  };
  return { name, contexts, args, repeats, effect, ...options };
}

/** Its arguments are checked nevertheless: an error in them shows a misunderstanding. */
export function ignored(
  name: string,
  contexts: readonly Context[],
  args: Arguments<unknown>,
  because: string,
  { repeats = false, ...options }: Options = {},
): Directive {
  return { name, contexts, args, repeats, effect: { kind: "ignored", because }, ...options };
}

/** An error: the proxy cannot do this, and running without it is not what the operator meant. */
export function rejected(name: string, hint = "", except: readonly string[] = []): Directive {
  const effect: Effect = { kind: "rejected", hint, except };
  return { name, contexts: [], args: anything, repeats: true, effect };
}

const anything: Arguments<unknown> = { min: 0, max: Number.POSITIVE_INFINITY, read: () => null };
