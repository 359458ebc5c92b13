/**
 * An engine that always generates the same words, and goes on where its prompt ends with some of them, as a real one
 * does that samples greedily.
 */

export const words: readonly string[] = [
  "Once",
  " upon",
  " a",
  ' \\"time\\"',
  " é",
  " \\n",
  " there",
  " was",
  " one",
  ".",
];
export const promptTokens = 3;
export const cached = '{"cached_tokens":3}';

export interface Asked {
  readonly prompt?: string | number[];
  readonly messages?: readonly { readonly role: string; readonly content: string }[];
  readonly max_tokens?: number;
  readonly min_tokens?: number;
  readonly stream?: boolean;
  readonly stream_options?: object;
  readonly return_token_ids?: boolean;
  readonly [name: string]: unknown;
}

/** How many words of the response the request has in its prompt already. */
export function done({ prompt, messages }: Asked): number {
  if (Array.isArray(prompt)) return prompt.filter((id) => id >= 1_000).length;
  const texts = words.map((_, i) => JSON.parse(`"${words.slice(0, i).join("")}"`) as string);
  const last = messages?.at(-1);
  const text = last?.role === "assistant" ? last.content : (prompt?.slice("P:".length) ?? "");
  return texts.lastIndexOf(text);
}

/** A response from word `from` on; `upTo` = where the engine gives up. */
export function parts(asked: Asked, from: number, upTo: number, round: number, details: string) {
  const isChat = asked.messages !== undefined;
  const bound = Math.min(words.length, from + (asked.max_tokens ?? 1_000));
  const end = Math.min(bound, upTo);
  const start = `{"id":"x-1","created":${100 + round},"choices":[`;
  const usage = (to: number) =>
    `{"prompt_tokens":${promptTokens + from},"total_tokens":${promptTokens + to},"completion_tokens":${to - from},"prompt_tokens_details":${details}}`;
  const finish = (isLast: boolean) => {
    if (!isLast) return `"finish_reason":null,"stop_reason":null`;
    if (upTo < bound) return `"finish_reason":"stop","stop_reason":"recomputed"`;
    return `"finish_reason":"${bound < words.length ? "length" : "stop"}","stop_reason":null`;
  };
  const ids = (a: number, b: number) =>
    asked.return_token_ids
      ? `,"token_ids":[${words.slice(a, b).map((_, i) => 1_000 + a + i)}]`
      : "";
  const promptIds =
    asked.return_token_ids && !isChat
      ? `,"prompt_token_ids":${JSON.stringify(Array.isArray(asked.prompt) ? asked.prompt : [1, 2, 3])}`
      : "";
  const idsOf = (i: number) => ids(i, i + 1) + (i === from ? promptIds : "");
  const event = (choice: string) => `data: ${start}${choice}]}\n\n`;
  const text = (json: string) => (isChat ? `"delta":{"content":"${json}"}` : `"text":"${json}"`);
  const events = isChat
    ? [event(`{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}`)]
    : [];
  for (let i = from; i < end; i += 1) {
    const isLast = i === end - 1 && upTo >= bound;
    events.push(event(`{"index":0,${text(words[i]!)},${finish(isLast)}${idsOf(i)}}`));
  }
  if (upTo < bound) events.push(event(`{"index":0,${text("")},${finish(true)}${ids(end, end)}}`));
  if (asked.stream_options) events.push(`data: ${start}],"usage":${usage(end)}}\n\n`);
  events.push("data: [DONE]\n\n");
  const all = words.slice(from, end).join("");
  const whole = isChat ? `"message":{"role":"assistant","content":"${all}"}` : `"text":"${all}"`;
  const json = `${start}{"index":0,${whole},${finish(true)}${ids(from, end)}}],"usage":${usage(end)}}`;
  return { events, json };
}
