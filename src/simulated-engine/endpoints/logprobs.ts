/** Log-probabilities of the response and of the prompt, and token ids, in the shapes of vLLM and SGLang. */

import { RequestError } from "../http/request-error.ts";
import type { PlannedOutput } from "../model/planned-output.ts";
import { mix32 } from "../model/prng.ts";
import { bytesPerToken, tokenIdsOf } from "../model/tokens.ts";
import type { InferenceRequest, Prompt } from "../request/inference-request.ts";

/** vLLM fails on log-probabilities of an echoed prompt that another engine computed: it has none to look up. */
export function checkEcho({ tokenOptions }: InferenceRequest): void {
  if (tokenOptions.echo && tokenOptions.logprobs !== undefined) {
    throw new RequestError(500, "InternalServerError", "2326");
  }
}

interface TokenInfo {
  readonly text: string;
  readonly id: number;
  /** Undefined for a prompt's first token. */
  readonly logprob: number | undefined;
}

const logprobUnits = 10_000;

function logprobOf(seed: number, position: number): number {
  return -(mix32(seed, 77, position) % (8 * logprobUnits)) / logprobUnits;
}

function promptTokens({ bytes }: Prompt): TokenInfo[] {
  let seed = 0;
  return tokenIdsOf(bytes).map((id, position) => {
    const text = bytes.toString("latin1", position * bytesPerToken, (position + 1) * bytesPerToken);
    seed = mix32(seed, id, position);
    return { text, id, logprob: position === 0 ? undefined : logprobOf(seed, position) };
  });
}

function outputToken(output: PlannedOutput, position: number): TokenInfo {
  const text = output.delta(position);
  const id = output.tokenId(position);
  return { text, id, logprob: logprobOf(id, output.placeOf(position)) };
}

function outputTokens(output: PlannedOutput): TokenInfo[] {
  return Array.from({ length: output.countedTokens }, (_, position) =>
    outputToken(output, position),
  );
}

/** `[null]` if another engine computed the prompt, as in vLLM. */
export function promptLogprobsJson(prompt: Prompt, output: PlannedOutput, top: number): string {
  if (!output.knowsPrompt) return "[null]";
  return JSON.stringify(
    promptTokens(prompt).map(({ text, id, logprob }) => {
      if (logprob === undefined) return null;
      const own = { logprob, rank: 1 + (id % 9), decoded_token: text };
      const likely = { logprob: logprob / 2, rank: 1, decoded_token: "the" };
      return top > 0 ? { [id]: own, 1: likely } : { [id]: own };
    }),
  );
}

export function tokenIdsJson(output: PlannedOutput, from: number, to: number): string {
  const ids: number[] = [];
  for (let position = from; position < to; position++) ids.push(output.tokenId(position));
  return JSON.stringify(ids);
}

export function promptIdsJson({ bytes }: Prompt): string {
  return JSON.stringify(tokenIdsOf(bytes));
}

/** In the shape of completions. `offset` is where the first token's text starts, in characters. */
function completionJson(tokens: readonly TokenInfo[], top: number, offset: number): string {
  let at = offset;
  const text_offset: number[] = [];
  for (const { text } of tokens) {
    text_offset.push(at);
    at += [...text].length;
  }
  return JSON.stringify({
    text_offset,
    token_logprobs: tokens.map(({ logprob }) => logprob ?? null),
    tokens: tokens.map(({ text }) => text),
    top_logprobs: tokens.map(({ text, logprob }) => {
      if (logprob === undefined) return null;
      return top > 1 ? { [text]: logprob, the: logprob / 2 } : { [text]: logprob };
    }),
  });
}

export function completionLogprobs(
  request: InferenceRequest,
  prompt: Prompt,
  output: PlannedOutput,
): string {
  const { echo, echoesOnly, logprobs } = request.tokenOptions;
  if (logprobs === undefined) return "null";
  const tokens = echoesOnly ? [] : outputTokens(output);
  return completionJson(echo ? [...promptTokens(prompt), ...tokens] : tokens, logprobs, 0);
}

/**
 * A prompt's, from a position on, in the shape of SGLang's own endpoint; none if another engine computed the prompt.
 */
export function sglangPromptLogprobs(prompt: Prompt, output: PlannedOutput, from: number): string {
  if (!output.knowsPrompt || from < 0) return "[]";
  return JSON.stringify(promptTokens(prompt).slice(from).map(sglangTriple));
}

/** Those of a response's first tokens, in the same shape. */
export function sglangOutputLogprobs(output: PlannedOutput, tokens: number): string {
  return JSON.stringify(outputTokens(output).slice(0, tokens).map(sglangTriple));
}

function sglangTriple({ logprob, id }: TokenInfo) {
  return [logprob ?? null, id, null];
}

/** In the shape of vLLM's token endpoint, which returns no text. */
export function idLogprobs(
  { tokenOptions: { logprobs } }: InferenceRequest,
  output: PlannedOutput,
  from: number,
  to: number,
): string {
  if (logprobs === undefined) return "null";
  const content = outputTokens(output)
    .slice(from, to)
    .map(({ id, logprob }) => {
      const own = { token: `token_id:${id}`, logprob, bytes: null };
      return { ...own, top_logprobs: [own] };
    });
  return JSON.stringify({ content });
}

/** Of one event. As in vLLM 0.32, offsets count from the start of the response, with what it echoes. */
export function completionEventLogprobs(
  request: InferenceRequest,
  prompt: Prompt,
  output: PlannedOutput,
  position: number,
): string {
  const { echo, echoesOnly, logprobs } = request.tokenOptions;
  if (logprobs === undefined || position >= output.countedTokens) return "null";
  const tokens = echoesOnly ? [] : [outputToken(output, position)];
  const echoed = echo ? promptTokens(prompt) : [];
  if (position === 0) return completionJson([...echoed, ...tokens], logprobs, 0);
  let offset = echoed.reduce((sum, { text }) => sum + [...text].length, 0);
  for (let before = 0; before < position; before++) offset += [...output.delta(before)].length;
  return completionJson(tokens, logprobs, offset);
}

/** In the shape of chats, for the tokens from `from` to `to`. */
export function chatLogprobs(
  { tokenOptions: { logprobs } }: InferenceRequest,
  output: PlannedOutput,
  from: number,
  to: number,
): string {
  if (logprobs === undefined) return "null";
  const content = outputTokens(output)
    .slice(from, to)
    .map(({ text: token, logprob }) => {
      const bytes = [...Buffer.from(token)];
      const own = { token, logprob, bytes };
      return { ...own, top_logprobs: logprobs > 0 ? [own] : [] };
    });
  return JSON.stringify({ content });
}
