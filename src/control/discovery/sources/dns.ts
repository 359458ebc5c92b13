/**
 * A name in DNS: each of its addresses is an engine. The name is asked for again when the records' TTL is over, within
 * bounds. SRV records say ports, weights and priorities as well; node:dns tells no TTL of theirs, so that of their
 * targets' addresses counts.
 *
 * That a name has no addresses (NXDOMAIN, or no such records) counts once it has been said for `keepMs`. No answer
 * (SERVFAIL, refused, a time-out) says nothing of the engines: they stay.
 */
import type { DnsSourceConfig } from "../../../config/schema/pool/sources.ts";
import type { EngineConfig } from "../../../config/schema/schema.ts";
import { dnsRetryMaxMs } from "../../limits.ts";
import { Complaints } from "./complaints.ts";
import { type DnsEngine, DnsQuestions, type NameServer } from "./dns-questions.ts";
import { changeInWords } from "./merge.ts";
import type { EngineSource, SourceDeps, SourceState } from "./source.ts";

export class DnsSource implements EngineSource {
  readonly name: string;
  readonly #pool: string;
  readonly #config: DnsSourceConfig;
  readonly #deps: SourceDeps;
  readonly #questions: DnsQuestions;
  readonly #complaints: Complaints;
  #engines: readonly EngineConfig[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Since when the name has no addresses; undefined = it has some, as far as is known. */
  #absentSinceMs: number | undefined;
  /** Questions in a row without an answer. */
  #unanswered = 0;
  #closed = false;

  /** @param newServer for tests */
  constructor(
    pool: string,
    config: DnsSourceConfig,
    deps: SourceDeps,
    newServer?: () => NameServer,
  ) {
    this.name = `dns ${config.dns}`;
    this.#pool = pool;
    this.#config = config;
    this.#deps = deps;
    this.#questions = new DnsQuestions(config, newServer);
    this.#complaints = new Complaints(deps);
  }

  enginesOf(pool: string): readonly EngineConfig[] {
    return pool === this.#pool ? this.#engines : [];
  }

  /** Without an answer the pool begins without these engines: a name server that is down must not stop a start. */
  async open(before?: SourceState): Promise<void> {
    if (before !== undefined) this.#engines = before.said as readonly EngineConfig[];
    this.#schedule(await this.#ask());
  }

  get state() {
    return { said: this.#engines };
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#questions.close();
  }

  #schedule(delayMs: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      const before = this.#engines;
      void this.#ask().then((nextMs) => {
        this.#tell(before);
        this.#schedule(nextMs);
      });
    }, delayMs);
  }

  #tell(before: readonly EngineConfig[]): void {
    if (this.#closed || JSON.stringify(this.#engines) === JSON.stringify(before)) return;
    this.#deps.log("notice", `${this.#what} has ${changeInWords(before, this.#engines)}`);
    this.#deps.changed();
  }

  /** Never rejects. @returns when to ask again, in ms from now */
  async #ask(): Promise<number> {
    const answer = await this.#questions.ask();
    if (this.#closed) return 0;
    const { minMs, maxMs } = this.#config;
    switch (answer.kind) {
      case "engines":
        this.#unanswered = 0;
        this.#absentSinceMs = undefined;
        this.#engines = answer.engines.map((engine) => this.#engineOf(engine));
        this.#complaints.recovered(`${this.#what} is answered again`);
        return Math.min(maxMs, Math.max(minMs, answer.ttlMs));
      case "absent":
        this.#unanswered = 0;
        this.#absent(answer.why);
        return minMs;
      case "unanswered":
        this.#unanswered += 1;
        this.#complaints.say("warn", `${this.#what} is not answered: ${answer.why}; ${this.#kept}`);
        return Math.max(minMs, Math.min(dnsRetryMaxMs, minMs * 2 ** (this.#unanswered - 1)));
    }
  }

  #absent(why: string): void {
    const { keepMs } = this.#config;
    const nowMs = this.#deps.nowMs();
    this.#absentSinceMs ??= nowMs;
    const isOver = nowMs - this.#absentSinceMs >= keepMs;
    if (this.#engines.length === 0) {
      // That they have left was said.
      if (!isOver) this.#complaints.say("warn", `${this.#what} has no addresses: ${why}`);
    } else if (isOver) {
      const count = this.#engines.length;
      const what = `its ${count} engines leave pool "${this.#pool}"`;
      this.#complaints.say("error", `${this.#what} has had no addresses for ${keepMs} ms: ${what}`);
      this.#engines = [];
    } else {
      const left = `${this.#kept} for ${keepMs} ms`;
      this.#complaints.say("warn", `${this.#what} has no addresses: ${why}; ${left}`);
    }
  }

  get #what(): string {
    return `${this.name} of pool "${this.#pool}"`;
  }

  get #kept(): string {
    return `its ${this.#engines.length} engines stay`;
  }

  #engineOf({ url, weight, backup }: DnsEngine): EngineConfig {
    const { engine } = this.#config;
    return {
      ...this.#questions.settings,
      url,
      ...(weight !== undefined && { weight }),
      backup: engine.backup || backup,
    };
  }
}
