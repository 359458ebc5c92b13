/** What a client asks about single tokens, besides the text: log-probabilities, token ids, an echo of the prompt. */

import { z } from "zod";
import { badRequest } from "../http/request-error.ts";

export interface TokenOptions {
  /** The response begins with the prompt. */
  readonly echo: boolean;
  /** It is the prompt alone: what is generated is not shown. */
  readonly echoesOnly: boolean;
  /** How many of the most likely tokens to return for each generated one; undefined = none, not even its own. */
  readonly logprobs: number | undefined;
  /** The same for each token of the prompt. */
  readonly promptLogprobs: number | undefined;
  readonly tokenIds: boolean;
}

export const noTokenOptions: TokenOptions = {
  echo: false,
  echoesOnly: false,
  logprobs: undefined,
  promptLogprobs: undefined,
  tokenIds: false,
};

/** The fields of a body that the OpenAI endpoints share. */
export const tokenOptionFields = {
  echo: z.boolean().nullish(),
  prompt_logprobs: z.number().int().min(-1).nullish(),
  return_token_ids: z.boolean().nullish(),
};

interface TokenOptionFields {
  readonly echo?: boolean | null | undefined;
  readonly prompt_logprobs?: number | null | undefined;
  readonly return_token_ids?: boolean | null | undefined;
  readonly max_tokens?: number | null | undefined;
  readonly stream?: boolean | null | undefined;
}

/** Throws a RequestError. */
export function readTokenOptions(
  fields: TokenOptionFields,
  logprobs: number | undefined,
): TokenOptions {
  const promptLogprobs = fields.prompt_logprobs ?? undefined;
  if (fields.stream && promptLogprobs !== undefined && promptLogprobs !== 0) {
    throw badRequest("`prompt_logprobs` are not available when `stream=True`.", "prompt_logprobs");
  }
  const tokenIds = fields.return_token_ids ?? false;
  const echo = fields.echo ?? false;
  const echoesOnly = echo && fields.max_tokens === 0;
  return { echo, echoesOnly, logprobs, promptLogprobs, tokenIds };
}
