/** `answers`: whether responses through the proxy are those of the decode engine asked directly, at temperature 0. */

import { type HttpFailure, isFailure } from "../../control/polling/request-once.ts";
import { dialectOf } from "../../dialects/registry.ts";
import type { Address } from "../../pool/address.ts";
import type { Check, CheckContext, CheckedPair, TimedResponse } from "../context.ts";
import { comparedPairsMax } from "../limits.ts";
import { checkPrompt } from "../prompts.ts";
import { errorOf, type Said, saidBy } from "../responses.ts";
import { whyDecodeCannotCompute } from "./transfer.ts";

const maxTokens = 16;

interface Kind {
  readonly name: string;
  readonly path: string;
  body(prompt: string): object;
}

const kinds: readonly Kind[] = [
  { name: "completion", path: "/v1/completions", body: (prompt) => ({ prompt }) },
  {
    name: "chat",
    path: "/v1/chat/completions",
    body: (prompt) => ({ messages: [{ role: "user", content: prompt }] }),
  },
  {
    name: "stream",
    path: "/v1/completions",
    body: (prompt) => ({ prompt, stream: true, stream_options: { include_usage: true } }),
  },
];

export const answers: Check = {
  name: "answers",
  needs: "proxy",
  async run(context) {
    const pairs = distinctDecodes(context.pairs).slice(0, comparedPairsMax);
    for (const pair of pairs) {
      const why = whyNotDirectly(context, pair);
      if (why !== undefined) {
        const message = `not compared: ${why}, so there is nothing to compare with`;
        context.report("skip", "answers.no-direct", pair, message);
        continue;
      }
      for (const kind of kinds) await compare(context, pair, kind);
    }
  },
};

/** One pair for each decode engine. */
function distinctDecodes(pairs: readonly CheckedPair[]): CheckedPair[] {
  return [...new Map(pairs.map((pair) => [pair.decode, pair])).values()];
}

function whyNotDirectly(context: CheckContext, { decode }: CheckedPair): string | undefined {
  if (!context.splits) return undefined;
  const dialect = context.dialect === undefined ? undefined : dialectOf(context.dialect);
  if (dialect?.requiresPrefill) {
    return `decode engines of the dialect ${dialect.name} do not serve requests by themselves`;
  }
  return whyDecodeCannotCompute(context, decode);
}

async function compare(context: CheckContext, pair: CheckedPair, kind: Kind): Promise<void> {
  const prompt = checkPrompt(context);
  const question = {
    path: kind.path,
    json: {
      model: context.model,
      ...kind.body(prompt),
      max_tokens: maxTokens,
      temperature: 0,
      seed: 1,
    },
  };
  const direct = pair.decode.engine.address;
  // Through the proxy first: then decode has nothing of the prompt in its cache.
  const proxied = await context.ask(pair.address, question);
  const alone = await context.ask(direct, question);
  const [ours, theirs] = [outcomeOf(proxied), outcomeOf(alone)];
  const what = `a ${kind.name} of ${maxTokens} tokens`;
  if (typeof ours !== "string" && typeof theirs !== "string") {
    await compareSaid(context, pair, { what, kind: kind.name, ours, theirs, direct, question });
  } else if (statusOf(proxied) === statusOf(alone) && statusOf(proxied) >= 400) {
    const message = `${what} is ${statusOf(alone)} through the proxy and directly: ${theirs as string}`;
    context.report("ok", "answers.same-error", pair, message, { data: { kind: kind.name } });
  } else {
    const message = `${what} is ${inWords(ours)} through the proxy, ${inWords(theirs)} directly`;
    const remedy =
      typeof ours === "string"
        ? "docs/outcomes.md explains codes that begin with GP_"
        : "the decode engine does not serve requests by itself: compare with another engine";
    const status = typeof ours === "string" ? "fail" : "skip";
    const code = typeof ours === "string" ? "answers.failed" : "answers.no-direct";
    context.report(status, code, pair, message, { remedy, data: { kind: kind.name } });
  }
}

interface Comparison {
  readonly what: string;
  readonly kind: string;
  readonly ours: Said;
  readonly theirs: Said;
  readonly direct: Address;
  readonly question: Parameters<CheckContext["ask"]>[1];
}

async function compareSaid(
  context: CheckContext,
  pair: CheckedPair,
  { what, kind, ours, theirs, direct, question }: Comparison,
): Promise<void> {
  const data = { kind, proxied: ours, direct: theirs };
  const difference = differenceOf(ours, theirs);
  if (difference === undefined) {
    const { promptTokens, completionTokens } = ours;
    const usage = `${promptTokens} + ${completionTokens} tokens`;
    const message = `${what} is the same through the proxy and directly (text, finish reason, usage: ${usage})`;
    context.report("ok", "answers.same", pair, message, { data });
    return;
  }
  const again = outcomeOf(await context.ask(direct, question));
  if (typeof again === "string" || differenceOf(again, theirs) !== undefined) {
    const message = `${what} differs, but directly it differs from time to time, too: ${difference}`;
    const remedy = "the engine is not deterministic at temperature 0, so nothing can be said";
    context.report("warn", "answers.not-deterministic", pair, message, { remedy, data });
    return;
  }
  const message = `${what} is not the same: ${difference}`;
  const remedy =
    "a KV cache that is damaged on its way changes texts: check models, dtypes and block sizes of both engines; " +
    "a few last words may differ by rounding alone";
  context.report("fail", "answers.differ", pair, message, { remedy, data });
}

function differenceOf(ours: Said, theirs: Said): string | undefined {
  if (ours.text !== theirs.text) {
    let at = 0;
    while (ours.text[at] === theirs.text[at]) at += 1;
    const part = ({ text }: Said) => JSON.stringify(text.slice(at, at + 24));
    return `from byte ${at} on the text is ${part(ours)} through the proxy, ${part(theirs)} directly`;
  }
  for (const name of ["finishReason", "promptTokens", "completionTokens"] as const) {
    if (ours[name] === theirs[name]) continue;
    return `${name} is ${ours[name]} through the proxy, ${theirs[name]} directly`;
  }
  return undefined;
}

/** A text = why there is no such response. */
function outcomeOf(answer: TimedResponse | HttpFailure): Said | string {
  if (isFailure(answer)) return answer.why;
  if (answer.status !== 200) return errorOf(answer);
  return saidBy(answer) ?? "200 with something else than a response";
}

function statusOf(answer: TimedResponse | HttpFailure): number {
  return isFailure(answer) ? 0 : answer.status;
}

function inWords(outcome: Said | string): string {
  return typeof outcome === "string" ? outcome : "200";
}
