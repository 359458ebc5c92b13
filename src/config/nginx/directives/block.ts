/** The directives of one block with their values, and nginx's inheritance from the blocks around it. */

import type { Position } from "../../problems/problem.ts";
import type { Context } from "../reading/context.ts";
import type { Directive } from "../reading/directive.ts";
import { type Loading, Scope } from "../reading/scope.ts";
import type { ConfNode } from "../syntax/parser.ts";
import { DirectiveError } from "../syntax/report.ts";
import { allowedHere, explainUnknown, named } from "./registry.ts";

export interface Entry<Value = unknown> {
  readonly directive: Directive<Value>;
  readonly node: ConfNode;
  readonly value: Value;
  /** The block of a directive that opens one. */
  readonly block?: Block;
}

export class Block {
  readonly context: Context;
  readonly position: Position;
  readonly parent: Block | undefined;
  /** In the order of the file. */
  readonly entries: Entry[] = [];

  constructor(context: Context, position: Position, parent?: Block) {
    this.context = context;
    this.position = position;
    this.parent = parent;
  }

  /** At this level only. */
  own<Value>(directive: Directive<Value>): Entry<Value>[] {
    return this.entries.filter((entry) => entry.directive === directive) as Entry<Value>[];
  }

  /** The same for what decides who responds: where an `if` has none, those of its location. */
  responding<Value>(directive: Directive<Value>): Entry<Value>[] {
    const own = this.own(directive);
    if (own.length > 0 || this.context !== "if in location") return own;
    return this.parent?.own(directive) ?? own;
  }

  has(directive: Directive): boolean {
    return this.entries.some((entry) => entry.directive === directive);
  }

  /** The entries at this level or, if there are none, at the nearest level around it that has some. */
  inherited<Value>(directive: Directive<Value>): Entry<Value>[] {
    const own = this.own(directive);
    if (own.length > 0 || this.parent === undefined) return own;
    return this.parent.inherited(directive);
  }

  /** The value of a directive that does not repeat, at this level or around it. */
  value<Value>(directive: Directive<Value>, otherwise: Value): Value {
    const [entry] = this.inherited(directive);
    return entry === undefined ? otherwise : entry.value;
  }
}

/** Reads directives into a block. Errors go to the report, and reading goes on. */
export function fillBlock(block: Block, nodes: readonly ConfNode[], loading: Loading): void {
  for (const node of nodes) {
    try {
      readDirective(block, node, loading);
    } catch (error) {
      if (!(error instanceof DirectiveError)) throw error;
      const { position = node.name.position, message, hint = swallowed(node) } = error;
      loading.report.emerg(position, message, hint);
    }
  }
}

/** Without its `;`, a directive takes the next one as arguments. */
function swallowed({ name, args }: ConfNode): string | undefined {
  const next = args.find(
    ({ text, position }) => position.line > name.position.line && named(text).length > 0,
  );
  return next && `a ";" may be missing before "${next.text}" in line ${next.position.line}`;
}

function readDirective(block: Block, node: ConfNode, loading: Loading): void {
  const directive = chooseDirective(block, node);
  const name = node.name.text;
  const { args, effect } = directive;
  if (effect.kind === "rejected") {
    if (node.args.length === 1 && effect.except.includes(node.args[0]!.text)) return;
    const hint = effect.hint === "" ? undefined : effect.hint;
    throw new DirectiveError(`the "${name}" directive is not supported yet`, undefined, hint);
  }
  if (node.block !== undefined && directive.block === undefined) {
    throw new DirectiveError(`directive "${name}" is not terminated by ";"`);
  }
  if (node.block === undefined && directive.block !== undefined) {
    throw new DirectiveError(`directive "${name}" has no opening "{"`);
  }
  if (node.args.length < args.min || node.args.length > args.max) {
    throw new DirectiveError(`invalid number of arguments in "${name}" directive`);
  }
  if (!directive.repeats && block.has(directive)) {
    throw new DirectiveError(`"${name}" directive is duplicate`);
  }
  if (effect.kind === "ignored") {
    const message = `"${name}" has no effect here: ${effect.because}`;
    loading.report.notice(`ignored ${name}`, node.name.position, message);
  }
  const value = args.read(node.args, new Scope(node, block.context, loading));
  if (directive.block === undefined || directive.block === "entries") {
    block.entries.push({ directive, node, value });
    return;
  }
  const inner = new Block(directive.block, node.name.position, block);
  block.entries.push({ directive, node, value, block: inner });
  fillBlock(inner, node.block ?? [], loading);
}

function chooseDirective({ context }: Block, { name }: ConfNode): Directive {
  const candidates = named(name.text);
  const directive = candidates.find((candidate) => allowedHere(candidate, context));
  if (directive !== undefined) return directive;
  const [other] = candidates;
  if (other === undefined) throw new DirectiveError(...explainUnknown(name.text, context));
  const places = [...new Set(candidates.flatMap(({ contexts }) => contexts))];
  const hint = `allowed in ${places.join(", ")}`;
  throw new DirectiveError(`"${name.text}" directive is not allowed here`, undefined, hint);
}
