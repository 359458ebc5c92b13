/** Many requests at once, some of which their clients give up, and counts of how each one ended. */
import type { Fleet } from "./fleet.ts";
import { type Answered, post } from "./http-client.ts";
import { patienceMs } from "./times.ts";

/** How many requests ended in each way. After all but `wrong` and `hung` a client knows what it has. */
export interface WaveTally {
  /** Complete, and what the engine that does it all says. */
  right: number;
  /** Begun and broken off visibly: the connection ended early, or an error event came. Right so far. */
  cut: number;
  /** A status of 500 or more, before anything of a response. */
  refused: number;
  /** Given up by the client; right so far. */
  aborted: number;
  /** Not ended within the patience of tests, which is shorter than the proxy's own time-outs. */
  hung: number;
  /** A false 200, and whatever else must not happen; the first ones in words. */
  wrong: string[];
}

/**
 * When a client gives up: after so many parts of its response, after so many responses of the wave have begun, after a
 * time, or never.
 */
export type GiveUp =
  | { readonly afterParts: number }
  | { readonly afterBegun: number }
  | { readonly afterMs: number }
  | undefined;

export interface WaveCase {
  readonly path: string;
  readonly body: string;
  /** The response of an engine that prefills and decodes. */
  readonly expected: string;
}

export interface WaveOptions {
  readonly url: string;
  readonly fleet: Fleet;
  /** The requests, all of them at once. */
  readonly cases: readonly WaveCase[];
  readonly giveUp?: (index: number) => GiveUp;
  /** Called with each response's end. */
  readonly onEnd?: (ended: number) => void;
}

const wrongMax = 5;

export function runWave(options: WaveOptions): Promise<WaveTally> {
  return new Wave(options).run();
}

class Wave {
  readonly #options: WaveOptions;
  readonly #tally: WaveTally = { right: 0, cut: 0, refused: 0, aborted: 0, hung: 0, wrong: [] };
  /** Answers of which something has come, or that were given up before. */
  #begun = 0;
  #ended = 0;
  readonly #waiting = new Set<{ readonly begun: number; readonly go: () => void }>();

  constructor(options: WaveOptions) {
    this.#options = options;
  }

  async run(): Promise<WaveTally> {
    await Promise.all(this.#options.cases.map((one, index) => this.#one(index, one)));
    return this.#tally;
  }

  async #one(index: number, { path, body, expected }: WaveCase): Promise<void> {
    const { url, fleet, onEnd } = this.#options;
    const giveUp = this.#options.giveUp?.(index);
    const partsMax = giveUp !== undefined && "afterParts" in giveUp ? giveUp.afterParts : Infinity;
    const gone = new AbortController();
    const cancel = this.#arm(giveUp, () => gone.abort());
    let hung = false;
    const bound = setTimeout(() => {
      hung = true;
      gone.abort();
    }, patienceMs);
    let parts = 0;
    const response = await post(url + path, body, {
      signal: gone.signal,
      headers: { "x-request-id": `wave-${index}` },
      onData: () => {
        parts += 1;
        if (parts === 1) this.#begins();
        if (parts >= partsMax) gone.abort();
      },
    });
    clearTimeout(bound);
    cancel();
    if (parts === 0) this.#begins();
    this.#enter(hung ? "hung" : kindOf(response, expected, fleet, gone.signal.aborted), () =>
      inWords(response, expected, fleet),
    );
    this.#ended += 1;
    onEnd?.(this.#ended);
  }

  #enter(kind: keyof WaveTally, words: () => string): void {
    const { wrong } = this.#tally;
    if (kind !== "wrong") this.#tally[kind] += 1;
    else if (wrong.length < wrongMax) wrong.push(words());
  }

  /** The result calls it off. */
  #arm(giveUp: GiveUp, go: () => void): () => void {
    if (giveUp === undefined || "afterParts" in giveUp) return () => {};
    if ("afterMs" in giveUp) {
      const timer = setTimeout(go, giveUp.afterMs);
      return () => clearTimeout(timer);
    }
    const entry = { begun: giveUp.afterBegun, go };
    this.#waiting.add(entry);
    return () => this.#waiting.delete(entry);
  }

  #begins(): void {
    this.#begun += 1;
    for (const entry of this.#waiting) {
      if (entry.begun > this.#begun) continue;
      this.#waiting.delete(entry);
      entry.go();
    }
  }
}

function kindOf(
  { status, end, body }: Answered,
  expected: string,
  fleet: Fleet,
  isAborted: boolean,
): keyof WaveTally {
  const comparable = fleet.comparable ?? withoutIds;
  if (status === 200 && end === "whole" && comparable(body) === comparable(expected))
    return "right";
  const { text, hasError } = untilError(body);
  const isPart = comparable(expected).startsWith(comparable(text));
  if (isAborted) return isPart ? "aborted" : "wrong";
  if (status === 200 && isPart && (end === "cut" || (end === "whole" && hasError))) return "cut";
  if (status >= 500 && end === "whole" && isErrorBody(body)) return "refused";
  return "wrong";
}

/** The events of a stream that came whole, up to an error. An engine says `[DONE]` after an error, too. */
function untilError(body: string): { text: string; hasError: boolean } {
  if (!body.startsWith("data: ")) return { text: "", hasError: false };
  const whole = body.slice(0, body.lastIndexOf("\n\n") + 2);
  const at = whole.search(/data: \{"(error|object":"error)"/);
  return at < 0 ? { text: whole, hasError: false } : { text: whole.slice(0, at), hasError: true };
}

function isErrorBody(body: string): boolean {
  try {
    const { error, message } = JSON.parse(body) as { error?: unknown; message?: unknown };
    return (error ?? message) !== undefined;
  } catch {
    return false;
  }
}

/** A proxy may have to give a request an id of its own. */
export function withoutIds(body: string): string {
  return body.replaceAll(/"id":"[^"]*"/g, '"id":""');
}

/** Where two texts part. */
function inWords({ status, end, error, body }: Answered, expected: string, fleet: Fleet): string {
  const comparable = fleet.comparable ?? withoutIds;
  const [is, should] = [comparable(body), comparable(expected)];
  let at = 0;
  while (at < is.length && is[at] === should[at]) at += 1;
  const from = Math.max(0, at - 60);
  const until = at + 120;
  return `${status} ${end} ${error}: «${is.slice(from, until)}» in place of «${should.slice(from, until)}»`;
}
