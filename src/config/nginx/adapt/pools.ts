/** `upstream` blocks and the addresses in `proxy_pass` → pools. */
import { isDeepStrictEqual } from "node:util";
import type { PolicyInput } from "../../schema/pool/policies.ts";
import type { ConfigInput } from "../../schema/schema.ts";
import type { Block, Entry } from "../directives/block.ts";
import {
  cacheTokens,
  kvEvents,
  shadow,
  signals,
  tokenize,
} from "../directives/upstream/engine-knowledge.ts";
import { policySettings } from "../directives/upstream/policy-directives.ts";
import { dnsSource, resolver, unusableServer } from "../directives/upstream/resolve.ts";
import {
  engine,
  keepalive,
  panicThreshold,
  policies,
  queue,
  upstream,
  upstreamKeepaliveRequests,
  upstreamKeepaliveTimeout,
} from "../directives/upstream/upstream.ts";
import type { Places } from "../syntax/places.ts";
import type { Report } from "../syntax/report.ts";

import type { PoolTlsInput } from "./tls.ts";

export type PoolInput = NonNullable<ConfigInput["pools"]>[string];

export class Pools {
  readonly #pools = new Map<string, PoolInput>();
  readonly #upstreams = new Map<string, string>();
  /** By the names that `proxy_pass` has: pools as they were read, and how they are used. */
  readonly #plain = new Map<string, PoolInput>();
  readonly #uses = new Map<string, { tls: PoolTlsInput | undefined; pool: string }[]>();

  /** The name of an upstream as its definition writes it; nginx ignores letter case. */
  upstreamNamed(name: string): string | undefined {
    return this.#upstreams.get(name.toLowerCase());
  }

  get upstreamNames(): string[] {
    return [...this.#upstreams.values()];
  }

  addUpstreams(http: Block, report: Report, places: Places): void {
    for (const { node, value, block } of http.own(upstream)) {
      const name = value[0]!.text;
      if (this.upstreamNamed(name) !== undefined) {
        report.emerg(node.name.position, `duplicate upstream "${name}"`);
        continue;
      }
      this.#upstreams.set(name.toLowerCase(), name);
      this.#pools.set(name, readPool(name, block!, report));
      places.set(["pools", name], node.name.position);
      for (const [key, isSource] of [["engines", false] as const, ["sources", true] as const]) {
        const entries = block!
          .own(engine)
          .filter((one) => isSource === (one.value.resolve ?? false));
        entries.forEach((entry, index) => {
          places.set(["pools", name, key, index], entry.node.args[0]!.position);
        });
      }
      // What is wrong with a module shows when it is loaded.
      for (const { directive, node: inBlock } of block!.entries) {
        const key = directive === shadow ? "shadow" : "policy";
        if (key === "shadow" || directive.name === "custom") {
          places.set(["pools", name, key], inBlock.name.position);
        }
      }
    }
  }

  /** For an upstream that names no policy. The first call counts. */
  usePolicy(name: string, policy: PolicyInput): void {
    const pool = this.#pools.get(this.upstreamNamed(name) ?? name);
    if (pool !== undefined) pool.policy ??= policy;
  }

  /** Adds a pool of one engine. */
  addAddress(name: string, url: string): void {
    if (!this.#pools.has(name))
      this.#pools.set(name, { engines: [{ url }], ejection: { rule: "max_fails" } });
  }

  /**
   * The same engines, reached so. The first use of a pool decides what it is; each other one gets a pool of its own,
   * since in nginx each location says for itself whether its requests are encrypted.
   * @param tls undefined = not encrypted
   * @returns the name of the pool
   */
  variant(name: string, tls: PoolTlsInput | undefined): string {
    const uses = this.#uses.get(name) ?? [];
    this.#uses.set(name, uses);
    const same = uses.find((use) => isDeepStrictEqual(use.tls, tls));
    if (same !== undefined) return same.pool;
    const plain = this.#plain.get(name) ?? this.#pools.get(name)!;
    this.#plain.set(name, plain);
    const pool = uses.length === 0 ? name : `${name} (${tls === undefined ? "http" : "https"})`;
    const unique = this.#pools.has(pool) && pool !== name ? `${pool} ${uses.length}` : pool;
    uses.push({ tls, pool: unique });
    this.#pools.set(unique, tls === undefined ? { ...plain } : encrypted(plain, tls));
    return unique;
  }

  toInput(): Record<string, PoolInput> {
    return Object.fromEntries(this.#pools);
  }
}

function encrypted(pool: PoolInput, tls: PoolTlsInput): PoolInput {
  const engines = (pool.engines ?? []).map((one) => ({ ...one, url: `https://${one.url}` }));
  const sources = (pool.sources ?? []).map((one) =>
    "dns" in one ? { ...one, dns: `https://${one.dns}` } : one,
  );
  return { ...pool, engines, ...(sources.length > 0 && { sources }), tls };
}

function readPool(name: string, block: Block, report: Report): PoolInput {
  const engines = block.own(engine);
  if (engines.length === 0) report.emerg(block.position, "no servers are inside upstream");
  else if (engines.every(({ value }) => value.backup)) {
    report.emerg(block.position, `no servers in upstream "${name}"`);
  }
  const policy = readPolicy(block, report);
  const keepAlive = readKeepAlive(block);
  const [tokens] = block.own(cacheTokens);
  const [asked] = block.own(signals);
  const [reported] = block.own(kvEvents);
  const [follower] = block.own(shadow);
  const [tokenises] = block.own(tokenize);
  const [waiting] = block.own(queue);
  const [panic] = block.own(panicThreshold);
  const [asking] = block.inherited(resolver);
  const names = engines.filter(({ value }) => value.resolve);
  const unusable = asking && unusableServer(asking.value);
  if (names.length > 0 && unusable !== undefined) {
    const hint = "write the address of the name server, as 10.96.0.10 or 127.0.0.1:5353";
    report.emerg(asking!.node.name.position, `invalid name server "${unusable}"`, hint);
  }
  return {
    engines: engines.filter(({ value }) => !value.resolve).map(({ value }) => value),
    ...(names.length > 0 && {
      sources: names.map(({ value }) => dnsSource(value, asking?.value)),
    }),
    ejection: { rule: "max_fails", ...(panic && { panicPercent: panic.value }) },
    ...(policy && { policy }),
    ...(follower && { shadow: follower.value }),
    ...(waiting && { queue: waiting.value }),
    ...(asked && { signals: asked.value }),
    ...(reported && { kvEvents: reported.value }),
    ...(tokenises && { tokenize: tokenises.value }),
    ...(Object.keys(keepAlive).length > 0 && { keepAlive }),
    ...(tokens && { cacheTokens: tokens.value }),
  };
}

function readPolicy(block: Block, report: Report): PolicyInput | undefined {
  const chosen = block.entries.filter(
    ({ directive, value }) =>
      value !== undefined && policies.some((policy) => policy === directive),
  ) as Entry<PolicyInput>[];
  const last = chosen.at(-1);
  if (chosen.length > 1) {
    report.warn(last!.node.name.position, "load balancing method redefined");
  }
  checkBackups(block, chosen, report);
  const options: Record<string, number> = {};
  for (const { directive, policies: having, option } of policySettings) {
    const [entry] = block.own(directive);
    if (entry === undefined) continue;
    if (last !== undefined && having.includes(last.value.name)) options[option] = entry.value;
    else {
      const { text, position } = entry.node.name;
      const names = having.map((name) => `"${name}"`).join(" or ");
      report.warn(position, `"${text}" has no effect without ${names}`);
    }
  }
  return last && ({ ...last.value, ...options } as PolicyInput);
}

/** As in nginx, some methods do not support backups that are listed after the method. */
function checkBackups(block: Block, chosen: readonly Entry<PolicyInput>[], report: Report): void {
  for (const { node, value } of block.own(engine)) {
    if (!value.backup) continue;
    const before = chosen.filter(
      (entry) => block.entries.indexOf(entry) < block.entries.findIndex((e) => e.node === node),
    );
    const method = before.at(-1)?.value.name;
    if (method === "ip_hash" || method === "hash" || method === "random") {
      const place = node.args.find(({ text }) => text === "backup")!.position;
      report.emerg(place, 'balancing method does not support parameter "backup"');
    }
  }
}

function readKeepAlive(block: Block): NonNullable<PoolInput["keepAlive"]> {
  const [connections] = block.own(keepalive);
  const [idle] = block.own(upstreamKeepaliveTimeout);
  const [requests] = block.own(upstreamKeepaliveRequests);
  return {
    ...(connections && { connections: Math.min(connections.value, 65_535) }),
    ...(idle && { idleMs: idle.value }),
    ...(requests && { requests: Math.max(requests.value, 1) }),
  };
}
