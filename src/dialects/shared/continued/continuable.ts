/** Which requests can be continued from what has been generated, so that the response is the one of a single engine. */

import { KeyName } from "../../../body/json/key-name.ts";
import type { TopLevel } from "../../../body/json/top-level.ts";
import type { DialectRequest } from "../../dialect.ts";
import { chatCompletions, completions, invocations } from "../../endpoints/endpoints.ts";
import { generatingAt } from "../../endpoints/find-endpoint.ts";
import { isFalse, isSet, isTrue, memberValueOf } from "../member-facts.ts";

const names = (...list: string[]): KeyName[] => list.map((name) => new KeyName(name));

const prompt = new KeyName("prompt");
const messages = new KeyName("messages");
const continueFinal = new KeyName("continue_final_message");
const addGeneration = new KeyName("add_generation_prompt");
const logprobs = new KeyName("logprobs");
const stream = new KeyName("stream");
const counts = names("n", "best_of");
/**
 * What the engine tracks from the first token on: a grammar's state, a search, a processor of its own. Restarted in the
 * middle of a text it would be wrong.
 */
const unbroken = names(
  ...["response_format", "structured_outputs", "guided_json", "guided_regex", "guided_choice"],
  ...["guided_grammar", "guided_whitespace_pattern", "regex", "ebnf", "json_schema"],
  ...["structural_tag", "use_beam_search", "prompt_logprobs", "echo", "suffix", "functions"],
  ...["logits_processors", "vllm_xargs", "custom_logit_processor", "custom_params"],
  ...["session_params", "truncate_prompt_tokens"],
);
/** Each counts the tokens of the response, of which a part becomes the prompt. */
const penalties = [
  ...names("frequency_penalty", "presence_penalty").map((key) => ({ key, none: /^-?0(?:\.0*)?$/ })),
  ...names("repetition_penalty").map((key) => ({ key, none: /^1(?:\.0*)?$/ })),
];
const tools = new KeyName("tools");

/** Whether the request is one prompt with one choice, whose text can be continued. */
export function isContinuable({ members, path }: DialectRequest): boolean {
  const endpoint = generatingAt(path);
  if (![completions, chatCompletions, invocations].includes(endpoint)) return false;
  if (counts.some((key) => (integerOf(members, key) ?? 1) > 1)) return false;
  if (unbroken.some((key) => isSet(members, key))) return false;
  if (penalties.some(({ key, none }) => isSet(members, key) && !none.test(textOf(members, key))))
    return false;
  // In one piece, those of all parts would have to become one list.
  if (isSet(members, logprobs) && !isTrue(members, stream)) return false;
  if (members.indexOf(messages) >= 0) {
    if (isSet(members, tools) && !/^\[\s*\]$/.test(textOf(members, tools))) return false;
    return !isTrue(members, continueFinal) && !isFalse(members, addGeneration);
  }
  const text = memberValueOf(members, prompt);
  return text?.[0] === 0x22 || (text !== undefined && /^\[\s*\d/.test(start(text)));
}

/** Undefined also for null. Bounds of lengths and counts are small. */
export function integerOf(members: TopLevel, key: KeyName): number | undefined {
  const digits = textOf(members, key);
  return /^\d{1,15}$/.test(digits) ? Number(digits) : undefined;
}

function textOf(members: TopLevel, key: KeyName): string {
  return start(memberValueOf(members, key) ?? nothing);
}

function start(bytes: Buffer): string {
  return bytes.toString("latin1", 0, 64);
}

const nothing = Buffer.alloc(0);
