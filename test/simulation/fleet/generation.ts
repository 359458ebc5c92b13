/**
 * What clients ask and what engines generate: the words of a response follow from its prompt alone, and an engine goes
 * on where a prompt ends with some of them, as a real one does that samples greedily. So each byte that a client gets
 * can be told from a wrong one.
 */

export type Path = "/v1/completions" | "/v1/chat/completions" | "/generate";

/** A client's request. */
export interface Question {
  readonly path: Path;
  /** Ends with a colon, and has no other. */
  readonly prompt: string;
  readonly stream: boolean;
  readonly maxTokens: number;
  /** The last event of a stream has the usage. */
  readonly usage: boolean;
  readonly logprobs: boolean;
  /** Token ids are asked for. */
  readonly ids: boolean;
}

/** A request as an engine understands it. */
export interface Asked extends Question {
  /** How many words of the response are in the prompt already. */
  readonly done: number;
  readonly json: Readonly<Record<string, unknown>>;
}

/** What differs between engines. */
export interface Made {
  readonly id: string;
  readonly created: number;
  readonly cached: number;
}

/** A response of one engine, as events and in one piece. */
export interface Reply {
  readonly events: readonly string[];
  readonly whole: string;
}

/** Ids of prompts are their characters', those of words lie above. */
const firstWordId = 1_000;

export function questionBody(question: Question): string {
  const { path, prompt, stream, maxTokens, usage, logprobs, ids } = question;
  if (path === "/generate") {
    return JSON.stringify({ text: prompt, sampling_params: { max_new_tokens: maxTokens }, stream });
  }
  const isChat = path === "/v1/chat/completions";
  return JSON.stringify({
    model: "m",
    ...(isChat ? { messages: [{ role: "user", content: prompt }] } : { prompt }),
    max_tokens: maxTokens,
    ...(stream && { stream }),
    ...(stream && usage && { stream_options: { include_usage: true } }),
    ...(logprobs && { logprobs: isChat ? true : 1 }),
    ...(ids && { return_token_ids: true }),
  });
}

export function wordsOf(prompt: string): readonly string[] {
  const known = words.get(prompt);
  if (known !== undefined) return known;
  let hash = 7;
  for (const char of prompt) hash = (hash * 31 + char.charCodeAt(0)) % 99_991;
  const made = Array.from({ length: 2 + (hash % 9) }, (_, i) => {
    const tail = ["", "\n", ' "q"', "é"][(hash + i) % 4]!;
    return `${i === 0 ? "" : " "}w${(hash * (i + 3)) % 9_973}${tail}`;
  });
  if (words.size > 1_000) words.clear();
  words.set(prompt, made);
  return made;
}
const words = new Map<string, readonly string[]>();

/** Throws what is wrong with it. */
export function readAsked(path: string, body: Buffer): Asked {
  const json = JSON.parse(body.toString()) as Record<string, unknown>;
  const text = textOf(json);
  const end = text.indexOf(":") + 1;
  const prompt = text.slice(0, end);
  const done = doneOf(wordsOf(prompt), text.slice(end));
  if (end === 0 || done === undefined) throw new Error(`no prompt of a client: ${text}`);
  const params = (json["sampling_params"] ?? {}) as { max_new_tokens?: number };
  const options = json["stream_options"] as { include_usage?: boolean } | undefined;
  return {
    path: path as Path,
    prompt,
    done,
    json,
    stream: json["stream"] === true,
    maxTokens: Number(json["max_tokens"] ?? params.max_new_tokens),
    usage: options?.include_usage === true,
    logprobs: (json["logprobs"] ?? false) !== false,
    ids: json["return_token_ids"] === true,
  };
}

function textOf(json: Readonly<Record<string, unknown>>): string {
  const given = json["prompt"] ?? json["text"] ?? json["input_ids"];
  if (typeof given === "string") return given;
  if (Array.isArray(given)) return textOfIds(given as number[]);
  const [question, answer] = json["messages"] as { role: string; content: string }[];
  if (answer === undefined) return question!.content;
  if (json["continue_final_message"] !== true || json["add_generation_prompt"] !== false)
    throw new Error("a message of the assistant's that is not continued");
  return question!.content + answer.content;
}

/** Throws for ids that are not those of a prompt and its first words. */
function textOfIds(ids: readonly number[]): string {
  const own = ids.filter((id) => id < firstWordId);
  const prompt = String.fromCharCode(...own);
  const generated = ids.slice(own.length);
  if (generated.some((id, i) => id !== firstWordId + i)) throw new Error(`wrong ids: ${ids}`);
  return prompt + wordsOf(prompt).slice(0, generated.length).join("");
}

export function idsOf(prompt: string): number[] {
  return [...prompt].map((char) => char.charCodeAt(0));
}

/** How many of the words the text is; undefined = it is not made of them. */
function doneOf(all: readonly string[], text: string): number | undefined {
  let rest = text;
  let count = 0;
  while (rest !== "" && count < all.length && rest.startsWith(all[count]!)) {
    rest = rest.slice(all[count]!.length);
    count += 1;
  }
  return rest === "" ? count : undefined;
}

/** @param gap words after which the engine preempts the request; undefined = it does not */
export function reply(asked: Asked, made: Made, gap?: number): Reply {
  return asked.path === "/generate" ? nativeReply(asked, made) : openaiReply(asked, made, gap);
}

/** Where the response ends, and why. */
function bounds({ prompt, done, maxTokens }: Asked, gap: number | undefined) {
  const all = wordsOf(prompt);
  const bound = Math.min(all.length, done + maxTokens);
  const end = Math.min(bound, done + (gap ?? Number.POSITIVE_INFINITY));
  const isPreempted = end < bound;
  const reason = isPreempted || bound === all.length ? "stop" : "length";
  return { all, end, isPreempted, reason };
}

function usageJson({ prompt, done }: Asked, end: number, cached: number): string {
  const before = prompt.length + done;
  return (
    `{"prompt_tokens":${before},"total_tokens":${prompt.length + end},"completion_tokens":${end - done},` +
    `"prompt_tokens_details":{"cached_tokens":${cached}}}`
  );
}

function openaiReply(asked: Asked, { id, created, cached }: Made, gap?: number): Reply {
  const { path, done } = asked;
  const isChat = path === "/v1/chat/completions";
  const { all, end, isPreempted, reason } = bounds(asked, gap);
  const start = `{"id":"cmpl-${id}","created":${created},"model":"m","choices":[`;
  const finish = (isLast: boolean) =>
    `"finish_reason":${isLast ? `"${reason}"` : "null"},"stop_reason":${isLast && isPreempted ? '"recomputed"' : "null"}`;
  const ids = (from: number, to: number) =>
    asked.ids
      ? `,"token_ids":[${Array.from({ length: to - from }, (_, i) => firstWordId + from + i)}]`
      : "";
  const promptIds = asked.ids && !isChat ? `,"prompt_token_ids":[${promptIdsOf(asked)}]` : "";
  const choice = (text: string, isLast: boolean, from: number, to: number) =>
    `{"index":0,${isChat ? `"delta":{"content":${text}}` : `"text":${text}`}` +
    `${logprobsJson(asked, all, from, to)},${finish(isLast)}${ids(from, to)}`;
  const events: string[] = [];
  const add = (json: string) => void events.push(`data: ${start}${json}]}\n\n`);
  if (isChat) add(`{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}`);
  for (let i = done; i < end; i += 1) {
    const isLast = i === end - 1 && !isPreempted;
    const first = i === done ? promptIds : "";
    add(`${choice(JSON.stringify(all[i]!), isLast, i, i + 1)}${first}}`);
  }
  if (isPreempted) add(`${choice('""', true, end, end)}}`);
  if (asked.usage) events.push(`data: ${start}],"usage":${usageJson(asked, end, cached)}}\n\n`);
  events.push("data: [DONE]\n\n");
  const text = JSON.stringify(all.slice(done, end).join(""));
  const body = isChat ? `"message":{"role":"assistant","content":${text}}` : `"text":${text}`;
  const logprobs = logprobsJson(asked, all, done, end);
  const whole =
    `${start}{"index":0,${body}${logprobs},${finish(true)}${ids(done, end)}${promptIds}}]` +
    `,"usage":${usageJson(asked, end, cached)}}`;
  return { events, whole };
}

function promptIdsOf({ prompt, done }: Asked): string {
  return [...idsOf(prompt), ...Array.from({ length: done }, (_, i) => firstWordId + i)].join();
}

/** Of the words `from` to `to`; offsets count from the start of this response. */
function logprobsJson(
  { path, logprobs, done }: Asked,
  all: readonly string[],
  from: number,
  to: number,
): string {
  if (!logprobs) return "";
  const own = all.slice(from, to);
  if (path === "/v1/chat/completions") {
    const list = own.map((token, i) => ({ token, logprob: -(from + i) / 8 }));
    return `,"logprobs":${JSON.stringify({ content: list })}`;
  }
  const offset = (i: number) => [...all.slice(done, from + i).join("")].length;
  return `,"logprobs":${JSON.stringify({
    text_offset: own.map((_, i) => offset(i)),
    token_logprobs: own.map((_, i) => -(from + i) / 8),
    tokens: own,
  })}`;
}

/** SGLang's own: each event has the whole text so far. */
function nativeReply(asked: Asked, { id, cached }: Made): Reply {
  const { prompt, done } = asked;
  const { all, end, reason } = bounds(asked, undefined);
  const part = (to: number) => {
    const last = reason === "length" ? { type: reason, length: to - done } : { type: reason };
    return JSON.stringify({
      text: all.slice(done, to).join(""),
      output_ids: all.slice(done, to).map((_, i) => firstWordId + done + i),
      meta_info: {
        id,
        finish_reason: to === end ? last : null,
        prompt_tokens: prompt.length + done,
        completion_tokens: to - done,
        cached_tokens: cached,
      },
    });
  };
  const events = all.slice(done, end).map((_, i) => `data: ${part(done + i + 1)}\n\n`);
  return { events: [...events, "data: [DONE]\n\n"], whole: part(end) };
}
