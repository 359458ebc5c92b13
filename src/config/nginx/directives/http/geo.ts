/** `geo`: a variable whose value depends on an address. */
import { parseAddress, parseNetworks } from "../../../values/networks.ts";
import { reading } from "../../reading/arguments.ts";
import { honoured } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import type { Word } from "../../syntax/lexer.ts";
import type { ConfNode } from "../../syntax/parser.ts";
import { newVariable } from "./rewrite.ts";
import { literalValue, type MapInput } from "./split-clients.ts";

function readGeo(words: readonly Word[], scope: Scope): MapInput {
  const variable = words.at(-1)!;
  const [source] = words.length === 1 ? [] : words;
  const name = newVariable(variable, scope);
  scope.loading.variables.declare(name, variable);
  const sourceName = source && newVariable(source, scope);
  const reader = new GeoReader(scope);
  for (const node of scope.node.block ?? []) reader.read(node);
  return {
    source: source === undefined ? "$remote_addr" : scope.template(source, `\${${sourceName}}`),
    variable: name,
    by: "address",
    ...reader.input,
    cached: !reader.isVolatile,
  };
}

class GeoReader {
  isVolatile = false;
  readonly #scope: Scope;
  /** By network as it is matched: of one that is given twice the last counts. */
  readonly #entries = new Map<string, string>();
  readonly #proxies: string[] = [];
  #recursive = false;
  #ranges = false;
  #default: string | undefined;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  get input(): Omit<MapInput, "source" | "variable"> {
    return {
      ...(this.#default !== undefined && { default: this.#default }),
      entries: [...this.#entries].map(([match, value]) => ({ match, value })),
      ...(this.#proxies.length > 0 && { trustedProxies: this.#proxies }),
      ...(this.#recursive && { throughSeveral: true }),
    };
  }

  read({ name, args, block }: ConfNode): void {
    const scope = this.#scope;
    if (block !== undefined) scope.fail('unexpected "{"', name);
    const [value] = args;
    if (value === undefined) this.#flag(name);
    else if (args.length > 1) scope.fail("invalid number of the geo parameters", name);
    else if (name.text === "default") this.#default = literalValue(value, scope);
    else if (name.text === "proxy") this.#proxies.push(this.#network(value));
    else if (name.text === "delete") this.#delete(value);
    else this.#set(this.#network(name), literalValue(value, scope));
  }

  #flag(name: Word): void {
    if (name.text === "ranges") {
      if (this.#entries.size > 0 || this.#default !== undefined) {
        this.#scope.fail(
          'the "ranges" directive must be the first directive inside "geo" block',
          name,
        );
      }
      this.#ranges = true;
    } else if (name.text === "proxy_recursive") this.#recursive = true;
    else if (name.text === "volatile") this.isVolatile = true;
    else this.#scope.fail("invalid number of the geo parameters", name);
  }

  /** A range that is in another splits it (nginx's rule): what is left may then be deleted by itself. */
  #set(network: string, value: string): void {
    const range = this.#ranges ? rangeOf(network) : undefined;
    if (range !== undefined) this.#cutOut(range);
    this.#entries.set(network, value);
  }

  #cutOut([from, to]: Range): void {
    for (const [network, value] of [...this.#entries]) {
      const [start, end] = rangeOf(network) ?? [1, 0];
      if (start > from || end < to) continue;
      this.#entries.delete(network);
      if (start < from) this.#entries.set(rangeText(start, from - 1), value);
      if (end > to) this.#entries.set(rangeText(to + 1, end), value);
    }
  }

  #delete(word: Word): void {
    if (this.#entries.delete(this.#network(word))) return;
    this.#scope.loading.report.warn(word.position, `no network "${word.text}" to delete`);
  }

  #network(word: Word): string {
    const text = word.text === "255.255.255.255" ? `${word.text}/32` : word.text;
    const isRange = text.includes("-");
    const networks = parseNetworks(text);
    if (networks === undefined || (isRange && !this.#ranges)) {
      this.#scope.fail(`invalid ${this.#ranges ? "range" : "network"} "${word.text}"`, word);
    }
    const range = this.#ranges ? rangeOf(text) : undefined;
    return range === undefined ? text : rangeText(...range);
  }
}

/** First and last address. */
type Range = readonly [from: number, to: number];

/** nginx has ranges of IPv4 alone. */
function rangeOf(text: string): Range | undefined {
  const [first = "", last = first] = text.split("-");
  const [from, to] = [parseAddress(first), parseAddress(last)];
  if (from?.bits !== 32 || to?.bits !== 32) return undefined;
  return [Number(from.value), Number(to.value)];
}

function rangeText(from: number, to: number): string {
  const written = (address: number) =>
    [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
  return `${written(from)}-${written(to)}`;
}

export const geo = honoured(
  "geo",
  ["http"],
  reading(1, 2, readGeo),
  "an item of `maps` with `by: address`",
  {
    block: "entries",
    repeats: true,
    note: "With networks or `ranges`, `default`, `delete`, `proxy`, `proxy_recursive` and `volatile`.",
  },
);
