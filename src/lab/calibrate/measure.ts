/** What is asked of an engine to know its speed: prefills of several lengths, one by one; then decodes in batches of several sizes. */
import { ask, type Target, type Timed } from "./ask.ts";

export interface PrefillSample {
  readonly tokens: number;
  readonly ms: number;
}

export interface DecodeSample {
  readonly batch: number;
  /** KV tokens of all requests of the batch, on average over the steps. */
  readonly residentTokens: number;
  readonly stepMs: number;
}

export interface MeasureOptions {
  /** Longest prompt. */
  readonly promptTokensMax: number;
  /** Largest batch. */
  readonly batchMax: number;
  /** Prefills of each length; the fastest counts. */
  readonly repeats: number;
  /** Told after each answer. */
  onResponse(): void;
}

/** Each prompt is so many times as long as the one before. */
const lengthFactor = 2;
const shortestTokens = 128;
const batchFactor = 4;
/** Answers long enough for a batch to be together for a while. */
const outputTokens = 48;
const shortPromptTokens = 128;
/** Fewer steps together say nothing. */
const stepsMin = 3;

function geometric(first: number, factor: number, most: number): number[] {
  const values: number[] = [];
  for (let value = first; value < most; value *= factor) values.push(value);
  return [...values, most];
}

const lengthsOf = ({ promptTokensMax }: MeasureOptions) =>
  geometric(Math.min(shortestTokens, promptTokensMax), lengthFactor, promptTokensMax);
/** Prompts of two lengths, so that what a request costs and what its KV costs can be told apart. */
const batchesOf = ({ batchMax, promptTokensMax }: MeasureOptions) =>
  [shortPromptTokens, Math.max(shortPromptTokens, promptTokensMax >> 1)].flatMap((tokens, i) =>
    geometric(1, batchFactor, i === 0 ? batchMax : Math.min(batchMax, batchFactor)).map(
      (batch) => ({ batch, tokens }),
    ),
  );

/** How many requests a measurement takes. */
export function requestsOf(options: MeasureOptions): number {
  const decodes = batchesOf(options).reduce((sum, { batch }) => sum + batch, 0);
  return 1 + lengthsOf(options).length * options.repeats + decodes;
}

export async function measurePrefill(
  target: Target,
  options: MeasureOptions,
): Promise<PrefillSample[]> {
  // The first request of all pays for what is done once.
  await ask(target, shortestTokens, 1);
  options.onResponse();
  const samples: PrefillSample[] = [];
  for (const length of lengthsOf(options)) {
    let best: PrefillSample | undefined;
    for (let i = 0; i < options.repeats; i += 1) {
      const { sentMs, eventsMs, promptTokens } = await ask(target, length, 1);
      options.onResponse();
      const ms = eventsMs[0]! - sentMs;
      if (best === undefined || ms < best.ms) best = { tokens: promptTokens, ms };
    }
    samples.push(best!);
  }
  return samples;
}

export async function measureDecode(
  target: Target,
  options: MeasureOptions,
): Promise<DecodeSample[]> {
  const samples: DecodeSample[] = [];
  for (const { batch, tokens } of batchesOf(options)) {
    const answers = await Promise.all(
      Array.from({ length: batch }, async () => {
        const timed = await ask(target, tokens, outputTokens);
        options.onResponse();
        return timed;
      }),
    );
    const sample = together(answers);
    if (sample !== undefined) samples.push(sample);
  }
  return samples;
}

/** What happened while all of the batch were decoding; undefined when they never were for a few steps. */
export function together(answers: readonly Timed[]): DecodeSample | undefined {
  const fromMs = Math.max(...answers.map(({ eventsMs }) => eventsMs[0]!));
  const toMs = Math.min(...answers.map(({ eventsMs }) => eventsMs.at(-1)!));
  const gapsMs: number[] = [];
  let residentTokens = 0;
  for (const { eventsMs, promptTokens, outputTokens: output } of answers) {
    const within = eventsMs.filter((atMs) => atMs > fromMs && atMs <= toMs);
    const before = eventsMs.filter((atMs) => atMs <= fromMs).length;
    // Engines may put several tokens into an event.
    const perEvent = output / eventsMs.length;
    for (let i = 1; i < within.length; i += 1)
      gapsMs.push((within[i]! - within[i - 1]!) / perEvent);
    residentTokens += promptTokens + (before + within.length / 2) * perEvent;
  }
  if (gapsMs.length < stepsMin * answers.length) return undefined;
  // The median: what else the machine does makes single steps late.
  const stepMs = gapsMs.sort((a, b) => a - b)[gapsMs.length >> 1]!;
  return { batch: answers.length, residentTokens, stepMs };
}
