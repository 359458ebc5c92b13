/** A steady, bounded load of requests whose right responses are known, that counts how each one ended. */
import { Agent } from "node:http";
import { type Answered, post } from "./http-client.ts";

/** More than this many requests are a mistake of the test. */
const requestsMax = 20_000;
const wordsMax = 5;

interface Case {
  readonly path: string;
  readonly body: object;
  readonly stream: boolean;
  readonly id: string;
  readonly expected: string;
}

export interface Tally {
  /** Answers that are right to the last byte. */
  right: number;
  /** Streams whose connection broke after their first byte, and that were right so far. */
  cut: number;
  /** Everything else; the first ones in words. */
  failed: number;
  readonly wrong: string[];
}

export interface LoadOptions {
  /** Requests at a time. */
  readonly clients: number;
  /** Longest answer. */
  readonly maxTokens: number;
}

export class Load {
  readonly tally: Tally = { right: 0, cut: 0, failed: 0, wrong: [] };
  readonly #url: string;
  readonly #cases: readonly Case[];
  readonly #agent = new Agent({ keepAlive: true, scheduling: "fifo" });
  readonly #loops: Promise<void>[];
  readonly #ended = new Set<() => void>();
  #begun = 0;
  #stopped = false;

  private constructor(url: string, cases: readonly Case[], clients: number) {
    this.#url = url;
    this.#cases = cases;
    this.#loops = Array.from({ length: clients }, () => this.#loop());
  }

  /** Starts when the right responses are fetched from an engine that prefills and decodes. */
  static async start(url: string, oracle: string, options: LoadOptions): Promise<Load> {
    const cases = await Promise.all(
      Array.from({ length: 8 }, (_, index) => makeCase(index, oracle, options.maxTokens)),
    );
    return new Load(url, cases, options.clients);
  }

  get done(): number {
    const { right, cut, failed } = this.tally;
    return right + cut + failed;
  }

  /** Resolves when so many more have ended. */
  async more(count: number): Promise<void> {
    const goal = this.done + count;
    while (this.done < goal) await new Promise<void>((resolve) => this.#ended.add(resolve));
  }

  /** Resolves when all that were under way have ended. */
  async turnover(): Promise<void> {
    // Each client has begun another one by then.
    const { length } = this.#loops;
    const counts = this.#rounds.slice();
    while (this.#rounds.some((round, client) => client < length && round === counts[client])) {
      await new Promise<void>((resolve) => this.#ended.add(resolve));
    }
  }

  /** Lets those under way end. */
  async stop(): Promise<Tally> {
    this.#stopped = true;
    await Promise.all(this.#loops);
    this.#agent.destroy();
    return this.tally;
  }

  readonly #rounds: number[] = [];

  async #loop(): Promise<void> {
    const client = this.#rounds.push(0) - 1;
    while (!this.#stopped && this.#begun < requestsMax) {
      const one = this.#cases[this.#begun % this.#cases.length]!;
      // Every third request has a connection of its own.
      const agent = this.#begun % 3 === 0 ? false : this.#agent;
      this.#begun += 1;
      const headers = { "x-request-id": one.id };
      const response = await post(this.#url + one.path, one.body, { agent, headers });
      this.#enter(one, response);
      this.#rounds[client]! += 1;
      for (const resolve of this.#ended) resolve();
      this.#ended.clear();
    }
  }

  #enter(one: Case, response: Answered): void {
    const { status, body, end, error } = response;
    if (status === 200 && end === "whole" && body === one.expected) this.tally.right += 1;
    else if (one.stream && status === 200 && end === "cut" && isPart(body, one.expected)) {
      this.tally.cut += 1;
    } else {
      const kind = one.stream ? "stream" : "JSON";
      this.tally.failed += 1;
      if (this.tally.wrong.length < wordsMax)
        this.tally.wrong.push(`${kind}: ${status} ${end} ${error} ${body.slice(-200)}`);
    }
  }
}

function isPart(body: string, expected: string): boolean {
  return body !== "" && body.length < expected.length && expected.startsWith(body);
}

async function makeCase(index: number, oracle: string, maxTokens: number): Promise<Case> {
  const chat = index % 4 >= 2;
  const stream = index % 2 === 1;
  const content = `case ${index} `.repeat(1 + 40 * index);
  const prompt = chat ? { messages: [{ role: "user", content }] } : { prompt: content };
  const body = { ...prompt, stream, max_tokens: maxTokens - index };
  const path = chat ? "/v1/chat/completions" : "/v1/completions";
  const id = `case-${index}`;
  const { status, body: expected } = await post(oracle + path, body, {
    headers: { "x-request-id": id },
  });
  if (status !== 200) throw new Error(`the engine itself refuses case ${index}: ${expected}`);
  return { path, body, stream, id, expected };
}
