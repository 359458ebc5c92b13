/** One streamed completion with the times of its tokens. */
import { EventData, EventEnds } from "../../body/sse.ts";
import { freshPrompt } from "../../estimates/fresh-prompt.ts";
import type { Clock } from "../../transport/clock.ts";

export interface Target {
  /** Without a slash at the end. */
  readonly url: string;
  readonly model: string;
  readonly apiKey: string | undefined;
  readonly signal: AbortSignal;
  readonly clock: Pick<Clock, "nowMs">;
  /** Uniform in [0, 1). */
  random(): number;
}

/** Times in ms of the monotonic clock. */
export interface Timed {
  readonly sentMs: number;
  /** Of each event with a choice: usually one token. */
  readonly eventsMs: readonly number[];
  readonly promptTokens: number;
  readonly outputTokens: number;
}

/** Longest part of an engine's error response that is shown. */
const errorLengthMax = 300;

/** Rejects with an Error that has the engine's response. */
export async function ask(
  target: Target,
  promptTokens: number,
  outputTokens: number,
): Promise<Timed> {
  const body = {
    model: target.model,
    prompt: freshPrompt(promptTokens, target.random),
    max_tokens: outputTokens,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
    // Responses have their full length. Engines that do not know these members ignore them.
    ignore_eos: true,
    min_tokens: outputTokens,
  };
  const sentMs = target.clock.nowMs();
  const response = await fetch(`${target.url}/v1/completions`, {
    method: "POST",
    headers: headersOf(target),
    body: JSON.stringify(body),
    signal: target.signal,
  });
  if (!response.ok || response.body === null) {
    const text = (await response.text()).slice(0, errorLengthMax);
    throw new Error(`${target.url}/v1/completions responded with ${response.status}: ${text}`);
  }
  const eventsMs: number[] = [];
  let usage = { prompt_tokens: promptTokens, completion_tokens: 0 };
  for await (const json of eventsOf(response.body)) {
    const event = json as { choices?: unknown[]; usage?: typeof usage };
    if ((event.choices?.length ?? 0) > 0) eventsMs.push(target.clock.nowMs());
    if (event.usage) usage = event.usage;
  }
  if (eventsMs.length === 0) throw new Error(`${target.url} responded without a token`);
  return {
    sentMs,
    eventsMs,
    promptTokens: usage.prompt_tokens,
    outputTokens: usage.completion_tokens || eventsMs.length,
  };
}

export function headersOf({ apiKey }: Pick<Target, "apiKey">): Record<string, string> {
  const key = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  return { "content-type": "application/json", ...key };
}

async function* eventsOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  const ends = new EventEnds();
  let rest = Buffer.alloc(0);
  for await (const part of stream) {
    const from = rest.length;
    const bytes = Buffer.concat([rest, part]);
    let start = 0;
    for (let at = ends.next(bytes, from, bytes.length); at >= 0; ) {
      const { json } = new EventData(bytes.subarray(start, at));
      start = at;
      if (json?.[0] === 0x7b) yield JSON.parse(json.toString());
      at = ends.next(bytes, at, bytes.length);
    }
    rest = bytes.subarray(start);
  }
}
