/**
 * Traces without a recording: `poisson:RATE[,MEMBER=NUMBER]…`. Arrivals are a Poisson process, or with `burst` a more
 * uneven one (gamma-distributed gaps with this coefficient of variation); lengths are log-normal about their medians,
 * as those of real traffic roughly are; `chats` is the share of requests that go on with an earlier one: its prompt,
 * and more. The others begin with one of `systems` system prompts of about `system` tokens, the n-th as popular as 1/n
 * (Zipf).
 */
import { type Random, seededRandom } from "../../policies/shared/seeded-random.ts";
import { gap, gauss } from "./distributions.ts";
import { type TraceRequest, traceBlockTokens } from "./trace.ts";

const defaults = {
  requests: 5_000,
  input: 4_000,
  output: 250,
  chats: 0.5,
  burst: 1,
  systems: 0,
  system: 4_000,
};
type Members = typeof defaults;
type Member = keyof typeof defaults;

/** More would not fit into memory. */
const requestsMax = 1_000_000;
const tokensMax = 1_000_000;
/** Deviations of the logarithms, about those of Mooncake's conversation trace. */
const inputSpread = 1;
const outputSpread = 0.7;
const systemSpread = 0.5;
const burstMax = 20;
const systemsMax = 10_000;
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

/** Least and most; whole numbers but for the first two. */
const bounds: Readonly<Record<Member, readonly [least: number, most: number]>> = {
  chats: [0, 1],
  burst: [0.1, burstMax],
  requests: [1, requestsMax],
  input: [1, tokensMax],
  output: [1, tokensMax],
  systems: [0, systemsMax],
  system: [1, tokensMax],
};

function checked(name: Member, value: number): number {
  const [least, most] = bounds[name];
  const kind = name === "chats" ? "share" : name === "burst" ? "number" : "whole number";
  const isKind = kind !== "whole number" || Number.isInteger(value);
  if (value >= least && value <= most && isKind) return value;
  throw new Error(`${name} must be a ${kind} from ${least} to ${most}`);
}

/** What several prompts begin with. */
interface Beginning {
  readonly tokens: number;
  readonly blocks: readonly number[];
}

function generate(rate: number, members: Members, random: Random): TraceRequest[] {
  const { requests, input, output, chats, burst } = members;
  const trace: TraceRequest[] = [];
  let arrivalMs = 0;
  let blockCount = 0;
  const systems = Array.from({ length: members.systems }, (): Beginning => {
    const tokens = lengthAbout(members.system, systemSpread, random);
    const blocks = Array.from(
      { length: Math.floor(tokens / traceBlockTokens) },
      (_, i) => blockCount + i,
    );
    blockCount += blocks.length;
    return { tokens, blocks };
  });
  for (let i = 0; i < requests; i += 1) {
    arrivalMs += (gap(burst, random) * 1000) / rate;
    const goesOn = i > 0 && random() < chats;
    const before = goesOn
      ? trace[i - 1 - Math.floor(random() * Math.min(i, openChats))]
      : undefined;
    const fresh = lengthAbout(goesOn ? input / 4 : input, inputSpread, random);
    const known = before === undefined ? 0 : before.inputTokens + before.outputTokens;
    // A chat that has become too long begins anew.
    const isTooLong = known + fresh > 32 * (input + (systems.length > 0 ? members.system : 0));
    const from = isTooLong || before === undefined ? begun(systems, random) : undefined;
    const inputTokens = Math.min(tokensMax, (from?.tokens ?? known) + fresh);
    const blocks = [...(from ?? before!).blocks];
    while (blocks.length < Math.floor(inputTokens / traceBlockTokens)) {
      blocks.push(blockCount);
      blockCount += 1;
    }
    const outputTokens = lengthAbout(output, outputSpread, random);
    trace.push({ arrivalMs, inputTokens, outputTokens, blocks });
  }
  return trace;
}

const nothing: Beginning = { tokens: 0, blocks: [] };

/** One of the system prompts, by Zipf's law. */
function begun(systems: readonly Beginning[], random: Random): Beginning {
  if (systems.length === 0) return nothing;
  let all = 0;
  for (let i = 1; i <= systems.length; i += 1) all += 1 / i;
  let left = random() * all;
  for (const [i, system] of systems.entries()) {
    left -= 1 / (i + 1);
    if (left <= 0) return system;
  }
  return systems[0]!;
}

function lengthAbout(median: number, spread: number, random: Random): number {
  return Math.max(1, Math.min(tokensMax, Math.round(median * Math.exp(spread * gauss(random)))));
}
