/** The pools of engines that the flags name, and their policies. */

import { decodePolicyName, prefillPolicyName } from "../schema/pool/default-policies.ts";
import type { EjectionConfig } from "../schema/pool/ejection.ts";
import { parseEjection } from "../schema/pool/ejection-text.ts";
import { parseKvEvents } from "../schema/pool/kv-events.ts";
import type { PolicyConfig } from "../schema/pool/policies.ts";
import { parsePolicy, type policyNames, type Role } from "../schema/pool/policy-text.ts";
import type { ConfigInput } from "../schema/schema.ts";
import { parseEngineUrl } from "../values/engine-url.ts";
import type { Flags } from "./flags.ts";
import type { Layout } from "./layout.ts";
import { type Fail, readCount, readTokens } from "./values.ts";

type Pools = NonNullable<ConfigInput["pools"]>;
type Pool = Pools[string];
type Source = NonNullable<Pool["sources"]>[number];

export function readPools(flags: Flags, layout: Layout, fail: Fail): Pools {
  const { splits, decodeFlag } = layout;
  const ejection = readEjection(flags.ejection, fail);
  const pools: Pools = {};
  if (splits) {
    pools["prefill"] = {
      ...readEngines(flags, "prefill", ejection, fail),
      ...readPolicy(flags, "prefill", "prefill", prefillPolicyName, fail),
      ...readShadow(flags.shadow, "prefill", fail),
      ...readCaches(flags, fail),
    };
    const cacheTokens = readTokens("--decode-cache-tokens", flags.decodeCacheTokens, fail);
    pools["decode"] = {
      ...readEngines(flags, "decode", ejection, fail),
      ...readPolicy(flags, "decode", "decode", decodePolicyName, fail),
      ...(cacheTokens !== undefined && { cacheTokens }),
    };
  } else {
    readTokens("--decode-cache-tokens", flags.decodeCacheTokens, fail);
    const role = decodeFlag === "decode" ? "decode" : undefined;
    pools["decode"] = {
      ...readEngines(flags, decodeFlag, ejection, fail),
      ...readPolicy(flags, "decode", role, "least_conn", fail),
      ...readShadow(flags.shadow, undefined, fail),
      ...readCaches(flags, fail),
    };
  }
  if (layout.encodes) {
    pools["encode"] = {
      ...readEngines(flags, "encode", ejection, fail),
      policy: { name: "least_conn" },
    };
  }
  if ((flags.metricsServers ?? []).length > 0) {
    const { engines, sources } = readEngines(flags, "metricsServers", undefined, fail);
    pools["metrics"] = { engines, ...(sources && { sources }), policy: { name: "least_conn" } };
  }
  return pools;
}

function readEngines(
  flags: Flags,
  name: "encode" | "prefill" | "decode" | "engine" | "metricsServers",
  ejection: EjectionConfig | undefined,
  fail: Fail,
): Pick<Pool, "engines" | "sources" | "signals" | "healthCheck" | "ejection"> {
  const flag = name === "metricsServers" ? "metrics-servers" : name;
  const words = (flags[name] ?? []).flatMap((url) => url.split(",")).filter((url) => url !== "");
  const sources = words.flatMap((word) => readSource(word, flags.resolver) ?? []);
  const urls = words.filter((word) => readSource(word, undefined) === undefined);
  if (words.length === 0) fail(`--${flag} is missing`, `write --${flag} http://HOST:PORT`);
  for (const url of urls) {
    const parsed = parseEngineUrl(url);
    // A word after the URLs that belongs to no flag would otherwise be a host.
    const problem = /^[^:/]+$/.test(url)
      ? "the port is missing"
      : "problem" in parsed && parsed.problem;
    // Other routers have the bootstrap port of an engine as a word of its own.
    const isPort = /^\d+$/.test(url);
    const portHint = `write a bootstrap port behind its engine: 'http://HOST:PORT?bootstrap_port=${url}'`;
    const hint = isPort ? portHint : "problem" in parsed ? parsed.hint : undefined;
    if (problem) fail(`invalid URL "${url}" for --${flag}: ${problem}`, hint);
  }
  return {
    engines: attending(name, urls, flags, fail).map((url) => ({ url })),
    ...(sources.length > 0 && { sources }),
    ...(flags.signals && { signals: {} }),
    ...(flags.healthChecks && { healthCheck: {} }),
    ...(ejection && { ejection }),
  };
}

/** Of decode engines that are split into attention and feed-forward layers, those that take requests. */
function attending(
  name: string,
  urls: readonly string[],
  { attentionNum }: Flags,
  fail: Fail,
): readonly string[] {
  if (name !== "decode") return urls;
  const count = readCount("--attention-num", attentionNum, fail);
  if (count !== undefined && count > urls.length) {
    fail(`--attention-num ${count} is more than the ${urls.length} engines of --decode`);
  }
  return count === undefined ? urls : urls.slice(-count);
}

/**
 * `file:PATH`, `dns:NAME:PORT` or `srv:NAME` in place of an engine's URL.
 * @param resolver name servers, by commas
 */
function readSource(word: string, resolver: string | undefined): Source | undefined {
  const [, kind, rest = ""] = /^(file|dns|srv):(?!\d+$)(.+)$/s.exec(word) ?? [];
  if (kind === "file") return { file: rest };
  if (kind === undefined) return undefined;
  const servers = resolver?.split(",");
  return {
    dns: rest,
    ...(kind === "srv" && { type: "SRV" as const }),
    ...(servers && { resolver: servers }),
  };
}

function readEjection(text: string | undefined, fail: Fail): EjectionConfig | undefined {
  if (text === undefined) return undefined;
  const read = parseEjection(text);
  if (!("problem" in read)) return read.ejection;
  return fail(`${read.problem} for --ejection`, read.hint);
}

/** @param role of the engines; undefined = they do both */
function readPolicy(
  flags: Flags,
  flag: "prefill" | "decode",
  role: Role | undefined,
  defaultPolicy: (typeof policyNames)[number],
  fail: Fail,
): { readonly policy?: PolicyConfig } {
  const read = parsePolicy(flags[`${flag}Policy`] ?? defaultPolicy, role);
  if ("problem" in read) {
    fail(`${read.problem} for --${flag}-policy`, read.hint);
    return {};
  }
  const seqsFlag = `--${flag}-max-num-seqs`;
  const seqs = readCount(seqsFlag, flags[`${flag}MaxNumSeqs`], fail);
  const { policy } = read;
  if (seqs === undefined) return { policy };
  if (policy.name === "pd_score_balance" || policy.name === "omni_proxy") {
    return { policy: { ...policy, maxNumSeqs: seqs } };
  }
  const hint = "use it with pd_score_balance or omni_proxy";
  fail(`${seqsFlag} has no effect with the policy ${policy.name}`, hint);
  return {};
}

function readShadow(
  text: string | undefined,
  role: Role | undefined,
  fail: Fail,
): { readonly shadow?: PolicyConfig } {
  if (text === undefined) return {};
  const read = parsePolicy(text, role);
  if (!("problem" in read)) return { shadow: read.policy };
  fail(`${read.problem} for --shadow`, read.hint);
  return {};
}

/** How the pool that computes prompts counts their tokens, and how it knows what its engines have cached. */
function readCaches(
  { tokenize, kvEvents }: Flags,
  fail: Fail,
): Pick<Pool, "tokenize" | "kvEvents"> {
  if (kvEvents === undefined) return tokenize ? { tokenize } : {};
  const ports = parseKvEvents(kvEvents);
  if (ports !== undefined) return { tokenize: true, kvEvents: ports };
  const hint = "--kv-events 5557, 5557:5558, or tcp://*:5557?replay=5558 to listen";
  fail(`invalid ports "${kvEvents}" for --kv-events`, hint);
  return {};
}
