/** Asks name servers for the addresses of a name, and says which engines they are. No state beyond the question. */
import { Resolver } from "node:dns/promises";
import { withFailureDefaults } from "../../../config/schema/pool/engine.ts";
import type { DnsSourceConfig } from "../../../config/schema/pool/sources.ts";
import type { EngineConfig } from "../../../config/schema/schema.ts";
import { parseNameServer } from "../../../config/values/engine-url.ts";
import {
  dnsAnswerMsMax,
  dnsAtOnceMax,
  dnsTargetsMax,
  dnsTimeoutMs,
  dnsTriesMax,
} from "../../limits.ts";
import { eachOf } from "../../polling/ask-engine.ts";

export interface DnsEngine {
  readonly url: string;
  /** As a SRV record says. */
  readonly weight?: number;
  /** Its SRV record has not the best priority. */
  readonly backup: boolean;
}

export type DnsAnswer =
  | { readonly kind: "engines"; readonly engines: readonly DnsEngine[]; readonly ttlMs: number }
  | { readonly kind: "absent" | "unanswered"; readonly why: string };

interface AddressRecord {
  readonly address: string;
  /** In s. */
  readonly ttl: number;
}

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** What of node:dns is used. */
export interface NameServer {
  resolve4(name: string, options: { ttl: true }): Promise<AddressRecord[]>;
  resolve6(name: string, options: { ttl: true }): Promise<AddressRecord[]>;
  resolveSrv(name: string): Promise<SrvRecord[]>;
  cancel(): void;
}

/** The server has said that there are no such records; every other code means that it has said nothing. */
const absentCodes: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA"]);

/** That of engines in the configuration, which SRV records may exceed. */
const weightMax = 1_000;

export class DnsQuestions {
  /** Of each engine, without its URL. */
  readonly settings: EngineConfig;
  readonly #config: DnsSourceConfig;
  #server: NameServer | undefined;
  readonly #newServer: () => NameServer;
  readonly #name: string;
  readonly #scheme: string;
  /** `:port` and what follows. */
  readonly #rest: string;

  constructor(config: DnsSourceConfig, newServer: () => NameServer = () => serverOf(config)) {
    this.#config = config;
    this.#newServer = newServer;
    this.settings = withFailureDefaults({ url: "", ...config.engine });
    const [, scheme = "http://", name = "", rest = ""] =
      /^(https?:\/\/)?([^:@/?]*)(.*)$/is.exec(config.dns) ?? [];
    this.#scheme = scheme;
    this.#name = name;
    this.#rest = rest;
  }

  /**
   * Never rejects, and always ends. Each time by another resolver: that of Bun 1.4 keeps for an hour that a name has no
   * records, and one that does not end by its own time-outs may never end.
   */
  async ask(): Promise<DnsAnswer> {
    this.#server = this.#newServer();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<DnsAnswer>((resolve) => {
      const answer = { kind: "unanswered", why: "ETIMEOUT" } as const;
      timer = setTimeout(() => resolve(answer), dnsAnswerMsMax);
    });
    const answer = await Promise.race([this.#ask(this.#server), late]);
    clearTimeout(timer);
    return answer;
  }

  async #ask(server: NameServer): Promise<DnsAnswer> {
    try {
      if (this.#config.type === "SRV") return await this.#services(server);
      const records = await this.#addresses(server, this.#name);
      const engines = hostsOf(records).map((host) => ({
        url: `${this.#scheme}${host}${this.#rest}`,
        backup: false,
      }));
      return answerOf(engines, ttlOf(records));
    } catch (error) {
      const { code = "unknown" } = error as NodeJS.ErrnoException;
      return { kind: absentCodes.has(code) ? "absent" : "unanswered", why: code };
    }
  }

  close(): void {
    this.#server?.cancel();
  }

  async #services(server: NameServer): Promise<DnsAnswer> {
    const records = await server.resolveSrv(this.#name);
    const best = Math.min(...records.map(({ priority }) => priority));
    const targets = new Map<string, AddressRecord[]>();
    const names = new Set(records.slice(0, dnsTargetsMax).map(({ name }) => name));
    await eachOf(names, dnsAtOnceMax, async (name) => {
      // A target that has no address is no engine; one without an answer is no answer at all.
      targets.set(name, await this.#addresses(server, name).catch(noneIfAbsent));
    });
    const engines = records.flatMap(({ name, port, priority, weight }) =>
      hostsOf(targets.get(name) ?? []).map((host) => ({
        url: `${this.#scheme}${host}:${port}${this.#rest}`,
        ...(weight > 0 && { weight: Math.min(weight, weightMax) }),
        backup: priority > best,
      })),
    );
    const found = [...targets.values()].flat();
    if (engines.length === 0) return { kind: "absent", why: "its targets have no addresses" };
    engines.sort((a, b) => compare(a.url, b.url));
    return answerOf(engines, ttlOf(found));
  }

  /** Of both families, if both are asked for. Rejects if there are none, or one is not answered. */
  async #addresses(server: NameServer, name: string): Promise<AddressRecord[]> {
    const { type } = this.#config;
    const questions = [
      ...(type === "AAAA" ? [] : [server.resolve4(name, { ttl: true })]),
      ...(type === "A" ? [] : [server.resolve6(name, { ttl: true })]),
    ];
    const results = await Promise.allSettled(questions);
    const failures = results.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    const unanswered = failures.find(({ code }) => !absentCodes.has(code));
    if (unanswered !== undefined) throw unanswered;
    const records = results.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
    if (records.length === 0 && failures.length > 0) throw failures[0];
    return records;
  }
}

function serverOf({ resolver }: DnsSourceConfig): NameServer {
  const server = new Resolver({ timeout: dnsTimeoutMs, tries: dnsTriesMax });
  if (resolver.length > 0) server.setServers(resolver.map((one) => parseNameServer(one)!));
  return server as unknown as NameServer;
}

function noneIfAbsent(error: NodeJS.ErrnoException): AddressRecord[] {
  if (absentCodes.has(error.code ?? "")) return [];
  throw error;
}

/** As in a URL, sorted: name servers answer in another order each time. */
function hostsOf(records: readonly AddressRecord[]): string[] {
  const hosts = records.map(({ address }) => (address.includes(":") ? `[${address}]` : address));
  return [...new Set(hosts)].sort(compare);
}

function ttlOf(records: readonly AddressRecord[]): number {
  return Math.min(...records.map(({ ttl }) => ttl)) * 1_000;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function answerOf(engines: readonly DnsEngine[], ttlMs: number): DnsAnswer {
  if (engines.length === 0) return { kind: "absent", why: "an empty answer" };
  return { kind: "engines", engines, ttlMs };
}
