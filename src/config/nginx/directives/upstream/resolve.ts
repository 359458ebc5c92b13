/** `server NAME resolve` and `resolver`: engines by a name in DNS. */
import type { ConfigInput } from "../../../schema/schema.ts";
import { parseNameServer } from "../../../values/engine-url.ts";
import { many, reading } from "../../reading/arguments.ts";
import { honoured } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import { parseTime } from "../../reading/units.ts";
import type { Word } from "../../syntax/lexer.ts";

type PoolInput = NonNullable<ConfigInput["pools"]>[string];
type SourceInput = NonNullable<PoolInput["sources"]>[number];
type EngineInput = NonNullable<PoolInput["engines"]>[number];

/** An engine as `server` says it. */
export type ServerEngine = EngineInput & {
  /** It is a name in DNS, of any number of engines. */
  resolve?: boolean;
  /** As nginx's `service=`, for SRV records. */
  service?: string;
};

interface ResolverValue {
  readonly servers: readonly string[];
  readonly validMs?: number;
  readonly type: "address" | "A" | "AAAA";
}

function readResolver(args: readonly Word[], scope: Scope): ResolverValue {
  const servers: string[] = [];
  const off = new Set<string>();
  let validMs: number | undefined;
  for (const word of args) {
    const [, name = "", value = ""] = /^(valid|ipv4|ipv6|status_zone)=(.*)$/s.exec(word.text) ?? [];
    if (name === "valid") {
      validMs = parseTime(value, "seconds");
      if (validMs === undefined) scope.fail(`invalid parameter "${word.text}"`, word);
    } else if (name === "ipv4" || name === "ipv6") {
      if (!/^(on|off)$/.test(value)) scope.fail(`invalid parameter "${word.text}"`, word);
      if (value === "off") off.add(name);
    } else if (name === "") servers.push(word.text);
  }
  if (off.size === 2) scope.fail('"ipv4" and "ipv6" cannot both be "off"', args[0]);
  const type = off.has("ipv6") ? "A" : off.has("ipv4") ? "AAAA" : "address";
  return { servers, type, ...(validMs !== undefined && { validMs }) };
}

export const resolver = honoured(
  "resolver",
  ["http", "upstream"],
  reading(1, many, readResolver),
  "`resolver` of a source",
  {
    note:
      "Name servers, by address, for `server NAME resolve` (`docs/discovery.md`); without it, the system's. " +
      "`valid=` counts more than the records' TTL. Other names are resolved by the system.",
  },
);

/** @param engine with `resolve` */
export function dnsSource(
  { url, resolve: _, service, ...engine }: ServerEngine,
  { servers, validMs, type }: ResolverValue = { servers: [], type: "address" },
): SourceInput {
  const [name = ""] = url.split(":");
  const times = validMs !== undefined && {
    minMs: Math.min(86_400_000, Math.max(100, validMs)),
    maxMs: Math.min(86_400_000, Math.max(100, validMs)),
  };
  // As nginx does: a service without a dot is short for that of TCP.
  const srv = service?.includes(".") ? `${service}.${name}` : `_${service}._tcp.${name}`;
  return {
    dns: service === undefined ? url : srv,
    type: service === undefined ? type : "SRV",
    resolver: [...servers],
    ...times,
    engine,
  };
}

/** What of its servers is no address, which only a resolver that is used must have. */
export function unusableServer({ servers }: ResolverValue): string | undefined {
  return servers.find((server) => parseNameServer(server) === undefined);
}
