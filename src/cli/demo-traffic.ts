/**
 * Gentle traffic for the demo, so that there is something to see: chats whose prompts share their beginnings, of
 * different lengths, in waves. Bounded in rate and in number.
 */

export interface TrafficOptions {
  /** Of the proxy. */
  readonly url: string;
  readonly model: string;
  nowMs(): number;
  /** Uniform in [0, 1). */
  random(): number;
}

/** Requests per second, from trough to crest of a wave. */
const rateMin = 1.5;
const rateMax = 7;
const waveMs = 100_000;
const atOnceMax = 40;
/** Prompts begin as one of so many. */
const subjects = [
  "You are the help desk of a bicycle shop.",
  "You translate English into plain English.",
  "You review changes of a TypeScript program.",
  "You plan journeys by train through Europe.",
  "You explain physics to children.",
  "You keep the minutes of a meeting.",
];
const words =
  "the prefill reads all of a prompt at once and decode makes one token after another from what it has kept".split(
    " ",
  );

export class DemoTraffic {
  readonly #options: TrafficOptions;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #underWay = 0;
  #count = 0;

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  start(): void {
    const { nowMs, random } = this.#options;
    const wave = (1 - Math.cos((2 * Math.PI * nowMs()) / waveMs)) / 2;
    const rate = rateMin + (rateMax - rateMin) * wave ** 2;
    // As people come: independent of each other.
    const delayMs = (-Math.log(1 - random()) / rate) * 1_000;
    this.#timer = setTimeout(() => {
      if (this.#underWay < atOnceMax) void this.#send();
      this.start();
    }, delayMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }

  /** Never rejects. */
  async #send(): Promise<void> {
    const { url } = this.#options;
    this.#underWay += 1;
    this.#count += 1;
    const id = `demo-${String(this.#count + 1).padStart(4, "0")}`;
    try {
      const response = await fetch(`${url}/v1/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-request-id": id },
        body: JSON.stringify(this.#request()),
        signal: this.#abort.signal,
      });
      await response.arrayBuffer();
    } catch {
      // The demo ends, or the proxy says on its page what is wrong.
    } finally {
      this.#underWay -= 1;
    }
  }

  #request() {
    const { model, random } = this.#options;
    const pick = <T>(ones: readonly T[]) => ones[Math.floor(random() * ones.length)]!;
    // Most are short, and a few are long.
    const length = Math.round(20 * (random() < 0.06 ? 50 : 1 + 14 * random() ** 2));
    const subject = `${pick(subjects)} `.repeat(60);
    const text = Array.from({ length }, () => pick(words)).join(" ");
    const output = Math.round(8 + 110 * random() ** 2);
    return { model, prompt: subject + text, max_tokens: output, stream: true };
  }
}
