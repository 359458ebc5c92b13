/**
 * Traces without a recording: `poisson:RATE[,requests=N][,input=TOKENS][,output=TOKENS][,chats=SHARE]`. Arrivals are a Poisson process; lengths
 * are log-normal about their medians, as those of real traffic roughly are; `chats` is the share of requests that go on with an
 * earlier one: its prompt, and more.
 */
import { type Random, seededRandom } from "../engine/prng.ts";
import { type TraceRequest, traceBlockTokens } from "./trace.ts";

const defaults = { requests: 5_000, input: 4_000, output: 250, chats: 0.5 };
type Member = keyof typeof defaults;

/** More would not fit into memory. */
const requestsMax = 1_000_000;
const tokensMax = 1_000_000;
/** Deviations of the logarithms, about those of Mooncake's conversation trace. */
const inputSpread = 1;
const outputSpread = 0.7;
/** Chats that go on are among the last so many. */
const openChats = 200;

/** Throws an Error that says what is wrong. */
export function syntheticTrace(spec: string, seed: number): TraceRequest[] {
  const [head = "", ...rest] = spec.split(",");
  const rate = Number(/^poisson:(.+)$/.exec(head)?.[1]);
  if (!(rate > 0 && rate <= 1e6)) throw new Error(`"${head}" is not poisson:REQUESTS-A-SECOND`);
  const members = { ...defaults };
  for (const part of rest) {
    const [name = "", value = ""] = part.split("=");
    if (!Object.hasOwn(defaults, name)) {
      throw new Error(
        `"${part}" is none of ${Object.keys(defaults).join(", ")} with = and a number`,
      );
    }
    members[name as Member] = checked(name as Member, Number(value));
  }
  return generate(rate, members, seededRandom(seed));
}

function checked(name: Member, value: number): number {
  const most = name === "chats" ? 1 : name === "requests" ? requestsMax : tokensMax;
  const isWhole = name === "chats" || Number.isInteger(value);
  if (value >= (name === "chats" ? 0 : 1) && value <= most && isWhole) return value;
  throw new Error(`${name} must be a ${name === "chats" ? "share" : "whole number"} up to ${most}`);
}

function generate(
  rate: number,
  { requests, input, output, chats }: typeof defaults,
  random: Random,
): TraceRequest[] {
  const trace: TraceRequest[] = [];
  let arrivalMs = 0;
  let blockCount = 0;
  for (let i = 0; i < requests; i += 1) {
    arrivalMs += (-Math.log(1 - random()) * 1000) / rate;
    const goesOn = i > 0 && random() < chats;
    const before = goesOn
      ? trace[i - 1 - Math.floor(random() * Math.min(i, openChats))]
      : undefined;
    const fresh = lengthAbout(goesOn ? input / 4 : input, inputSpread, random);
    const known = before === undefined ? 0 : before.inputTokens + before.outputTokens;
    // A chat that has become too long begins anew.
    const isTooLong = known + fresh > 32 * input;
    const inputTokens = Math.min(tokensMax, isTooLong ? fresh : known + fresh);
    const blocks = isTooLong ? [] : (before?.blocks.slice() ?? []);
    while (blocks.length < Math.floor(inputTokens / traceBlockTokens)) {
      blocks.push(blockCount);
      blockCount += 1;
    }
    const outputTokens = lengthAbout(output, outputSpread, random);
    trace.push({ arrivalMs, inputTokens, outputTokens, blocks });
  }
  return trace;
}

function lengthAbout(median: number, spread: number, random: Random): number {
  const gauss = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.max(1, Math.min(tokensMax, Math.round(median * Math.exp(spread * gauss))));
}
