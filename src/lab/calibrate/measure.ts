/**
 * Measures the speed of an engine: prefills of several lengths one by one, then decodes in batches of several sizes.
 */
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
  /** Called after each response. */
  onResponse(): void;
}

/** Each prompt is so many times as long as the one before. */
const lengthFactor = 2;
const shortestTokens = 128;
const batchFactor = 4;
/** Responses long enough for a batch to stay together for a while. */
const outputTokens = 48;
const shortPromptTokens = 128;
/** Batches with fewer common steps are left out. */
const stepsMin = 3;
/**
 * A step is the mean over so many: on a busy machine events come several at a time, and most gaps between them are then
 * nothing at all.
 */
const stepsAtOnceMax = 8;

function geometric(first: number, factor: number, most: number): number[] {
  const values: number[] = [];
  for (let value = first; value < most; value *= factor) values.push(value);
  return [...values, most];
}

const lengthsOf = ({ promptTokensMax }: MeasureOptions) =>
  geometric(Math.min(shortestTokens, promptTokensMax), lengthFactor, promptTokensMax);
/** Prompts of two lengths, to separate the cost of a request from that of its KV. */
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
  // The first request is slower, since engines initialise then.
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
    const responses = await Promise.all(
      Array.from({ length: batch }, async () => {
        const timed = await ask(target, tokens, outputTokens);
        options.onResponse();
        return timed;
      }),
    );
    const sample = together(responses);
    if (sample !== undefined) samples.push(sample);
  }
  return samples;
}

/** The steps during which the whole batch was decoding; undefined = there were too few. */
export function together(responses: readonly Timed[]): DecodeSample | undefined {
  const fromMs = Math.max(...responses.map(({ eventsMs }) => eventsMs[0]!));
  const toMs = Math.min(...responses.map(({ eventsMs }) => eventsMs.at(-1)!));
  const stepsMs: number[] = [];
  let gaps = 0;
  let residentTokens = 0;
  for (const { eventsMs, promptTokens, outputTokens: output } of responses) {
    const within = eventsMs.filter((atMs) => atMs > fromMs && atMs <= toMs);
    const before = eventsMs.filter((atMs) => atMs <= fromMs).length;
    // Engines may put several tokens into an event.
    const perEvent = output / eventsMs.length;
    const all = Math.max(0, within.length - 1);
    const steps = Math.min(stepsAtOnceMax, all);
    for (let i = steps; i > 0 && i <= all; i += 1)
      stepsMs.push((within[i]! - within[i - steps]!) / steps / perEvent);
    gaps += all;
    residentTokens += promptTokens + (before + within.length / 2) * perEvent;
  }
  if (gaps < stepsMin * responses.length) return undefined;
  const stepMs = middleMean(stepsMs);
  return { batch: responses.length, residentTokens, stepMs };
}

/** The mean of the middle half, since other work of the machine delays single steps. */
function middleMean(values: readonly number[]): number {
  const quarter = values.length >> 2;
  const middle = values.toSorted((a, b) => a - b).slice(quarter, values.length - quarter);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}
