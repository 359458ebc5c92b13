/** Variables whose value depends on another's: nginx's `map`, `geo` and `split_clients`. */
import type { MapConfig } from "../../../config/schema/schema.ts";
import { NetworkTable, parseAddress, parseNetworks } from "../../../config/values/networks.ts";
import { parseShare } from "../../../config/values/share.ts";
import type { RequestContext } from "../../context/request-context.ts";
import { compileRegex, type RegexTest } from "../regex.ts";
import type { Render } from "../render.ts";
import type { VariableScope } from "../template.ts";
import { forwardedAddress } from "./forwarded-address.ts";
import { HostNames } from "./host-names.ts";
import { murmurHash2 } from "./murmur-hash.ts";

/** The value for a text; undefined = no entry takes it. */
type LookUp = (context: RequestContext, text: string) => string | undefined;

export function compileMap(config: MapConfig, scope: VariableScope): void {
  const source = scope.compile(config.source);
  const otherwise = scope.compile(config.default);
  const lookUp = kinds[config.by](config, scope);
  scope.compute(
    config.variable,
    (context) => lookUp(context, source(context)) ?? otherwise(context),
    config.cached,
  );
}

const kinds: Readonly<
  Record<MapConfig["by"], (config: MapConfig, scope: VariableScope) => LookUp>
> = { text: byText, host: byHost, address: byAddress, share: byShare };

/** Literals win over expressions; expressions in order. */
function byText(config: MapConfig, scope: VariableScope): LookUp {
  const literals = new Map<string, Render>();
  for (const { match, render } of literalsOf(config, scope)) literals.set(match, render);
  const byRegex = regexLookUp(config, scope);
  return (context, text) => {
    const literal = literals.get(text.toLowerCase());
    return literal === undefined ? byRegex(context, text) : literal(context);
  };
}

function byHost(config: MapConfig, scope: VariableScope): LookUp {
  const names = new HostNames<Render>();
  for (const { match, render } of literalsOf(config, scope)) names.add(match, render);
  const byRegex = regexLookUp(config, scope);
  return (context, text) => {
    const name = text.endsWith(".") ? text.slice(0, -1) : text;
    const literal = names.find(name.toLowerCase());
    return literal === undefined ? byRegex(context, name) : literal(context);
  };
}

/** A leading backslash lets a literal begin with `~`, as in nginx. */
function literalsOf({ entries }: MapConfig, scope: VariableScope) {
  return entries
    .filter(({ match }) => !match.startsWith("~"))
    .map(({ match, value }) => ({
      match: match.replace(/^\\(?=[~\\])/, "").toLowerCase(),
      render: scope.compile(value),
    }));
}

function regexLookUp({ entries }: MapConfig, scope: VariableScope): LookUp {
  const expressions = entries
    .filter(({ match }) => match.startsWith("~"))
    .map(({ match, value }): { matches: RegexTest; value: Render } => {
      const ignoresCase = match.startsWith("~*");
      const pattern = match.slice(ignoresCase ? 2 : 1);
      const matches = compileRegex(pattern, ignoresCase ? "i" : "", scope);
      return { matches, value: scope.compile(value) };
    });
  return (context, text) => {
    // The numbered captures of an expression end with its value: `$1` of the location means the same before and after.
    const { captures } = context;
    const expression = expressions.find(({ matches }) => matches(context, text));
    const value = expression?.value(context);
    context.captures = captures;
    return value;
  };
}

/** By the smallest network that the address is in. */
function byAddress(config: MapConfig, scope: VariableScope): LookUp {
  const table = new NetworkTable<Render>();
  for (const { match, value } of config.entries) {
    const render = scope.compile(value);
    for (const network of parseNetworks(match) ?? []) table.set(network, render);
  }
  const forwarded = forwardedAddress(config);
  return (context, text) => {
    // As in nginx, what is no address is this one: that of a client on a unix socket.
    const address = parseAddress(text) ?? noAddress;
    return table.find(forwarded?.(context, address) ?? address)?.(context);
  };
}

const noAddress = { bits: 32, value: 0xffff_ffffn } as const;

/** By a hash of the text, so that shares of all texts have each value. */
function byShare({ entries }: MapConfig, scope: VariableScope): LookUp {
  let end = 0;
  const parts = entries.map(({ match, value }) => {
    const share = parseShare(match);
    end = share === undefined ? 0x1_0000_0000 : end + Math.floor((0xffff_ffff * share) / 10_000);
    return { end, value: scope.compile(value) };
  });
  return (context, text) => {
    const hash = murmurHash2(Buffer.from(text, "latin1"));
    return parts.find((part) => hash < part.end)?.value(context);
  };
}
