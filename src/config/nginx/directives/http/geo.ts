/** `geo`: a variable whose value depends on an address. */
import { parseNetworks } from "../../../values/networks.ts";
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
    else this.#entries.set(this.#network(name), literalValue(value, scope));
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

  #delete(word: Word): void {
    const network = this.#network(word);
    if (this.#entries.delete(network)) return;
    this.#scope.loading.report.warn(word.position, `no network "${word.text}" to delete`);
  }

  #network(word: Word): string {
    const text = word.text === "255.255.255.255" ? `${word.text}/32` : word.text;
    const isRange = text.includes("-");
    const networks = parseNetworks(text);
    if (networks === undefined || (isRange && !this.#ranges)) {
      this.#scope.fail(`invalid ${this.#ranges ? "range" : "network"} "${word.text}"`, word);
    }
    return text;
  }
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
