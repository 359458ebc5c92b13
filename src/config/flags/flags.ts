/** The command line's flags, which need no file, made into a configuration. */

import { parsePolicy, type policyNames, type Role } from "../policy-text.ts";
import type { ConfigProblem } from "../problems/problem.ts";
import { didYouMean } from "../problems/suggest.ts";
import { parseAdminAddress } from "../schema/admin.ts";
import { decodePolicyName, prefillPolicyName } from "../schema/default-policies.ts";
import { schemasAt } from "../schema/expected.ts";
import type { PolicyConfig } from "../schema/policies.ts";
import { parseKvEventPorts } from "../schema/pool/kv-events.ts";
import { type Config, type ConfigInput, configSchema, logLevels } from "../schema/schema.ts";
import { parseEngineUrl, parseHostAndPort } from "../values/engine-url.ts";

/** Flags as they were typed. */
export interface Flags {
  /** Engines that encode images and the like, before any of the others. */
  readonly encode?: readonly string[];
  readonly prefill: readonly string[];
  readonly decode: readonly string[];
  /** Engines that do all of a request, in place of the two above. */
  readonly engine?: readonly string[];
  /** `PORT`, `HOST:PORT` or `unix:/path`. */
  readonly listen?: string;
  readonly prefillPolicy?: string;
  readonly decodePolicy?: string;
  /** Of the prefill engines, or of those that do all: follows their policy and decides nothing. */
  readonly shadow?: string;
  /** Requests beyond which an engine has no room, for policies that go by it. */
  readonly prefillMaxNumSeqs?: string;
  readonly decodeMaxNumSeqs?: string;
  /** A number or `auto`. */
  readonly workers?: string;
  readonly accessLog?: string;
  /** File of a trace. */
  readonly record?: string;
  readonly pid?: string;
  readonly logLevel?: string;
  readonly dialect?: string;
  /** As in a route. */
  readonly onPrefillFailure?: string;
  readonly prefillMinTokens?: string;
  readonly explain?: boolean;
  /** Ask all engines for their load. */
  readonly signals?: boolean;
  readonly tokenize?: boolean;
  readonly kvEvents?: string;
  /** `PORT` of 127.0.0.1, or `HOST:PORT`. */
  readonly admin?: string;
  /** As in a pool. */
  readonly decodeCacheTokens?: string;
}

type Route = NonNullable<ConfigInput["servers"][number]["routes"]>[number];
type Listen = ConfigInput["servers"][number]["listen"][number];

/** What `problem.file` says for flags and `-g`. */
export const commandLine = "command line";

const dialectNames = schemasAt(["servers", 0, "routes", 0, "dialect"]).flatMap(
  (schema) => (schema.enum ?? []) as readonly NonNullable<Route["dialect"]>[],
);

export function parseFlags(
  flags: Flags,
): { readonly config: Config } | { readonly errors: readonly ConfigProblem[] } {
  const errors: ConfigProblem[] = [];
  const fail = (message: string, hint?: string): undefined => {
    const place = { file: commandLine, line: 0, column: 0, level: "emerg" } as const;
    errors.push({ ...place, message, ...(hint === undefined ? {} : { hint }) });
    return undefined;
  };
  const oneOf = <T extends string>(flag: string, word: string | undefined, known: readonly T[]) => {
    if (word === undefined || known.includes(word as T)) return word as T | undefined;
    const hint = didYouMean(word, known) ?? `known: ${known.join(", ")}`;
    return fail(`unknown name "${word}" for ${flag}`, hint);
  };
  const pool = (
    role: "encode" | "prefill" | "decode" | "engine",
    policyFlag: "prefill" | "decode" | undefined,
    defaultPolicy: (typeof policyNames)[number],
  ) => {
    const urls = (flags[role] ?? []).flatMap((url) => url.split(",")).filter((url) => url !== "");
    if (urls.length === 0) fail(`--${role} is missing`, `--${role} URL… names the ${role} engines`);
    for (const url of urls) {
      const address = parseEngineUrl(url);
      // A stray word behind the URLs would else be a host.
      const problem = /^[^:/]+$/.test(url)
        ? "the port is missing"
        : "problem" in address && address.problem;
      const hint = "problem" in address ? address.hint : undefined;
      if (problem) fail(`invalid URL "${url}" for --${role}: ${problem}`, hint);
    }
    const flag = `--${policyFlag}-policy`;
    const wanted = policyFlag && flags[`${policyFlag}Policy`];
    const read = parsePolicy(
      wanted ?? defaultPolicy,
      role === "prefill" || role === "decode" ? role : undefined,
    );
    const engines = urls.map((url) => ({ url }));
    const signals = flags.signals && { signals: {} };
    if ("problem" in read) {
      fail(`${read.problem} for ${flag}`, read.hint);
      return { engines, ...signals };
    }
    const seqsFlag = `--${policyFlag}-max-num-seqs`;
    const seqs = readCount(seqsFlag, policyFlag && flags[`${policyFlag}MaxNumSeqs`], fail);
    if (seqs === undefined) return { engines, ...signals, policy: read.policy };
    const { policy } = read;
    if (policy.name === "pd_score_balance" || policy.name === "omni_proxy") {
      return { engines, ...signals, policy: { ...policy, maxNumSeqs: seqs } };
    }
    fail(`${seqsFlag} has no effect with the policy ${policy.name}`, takesSeqs);
    return { engines };
  };

  const hasEngines = (flags.engine ?? []).length > 0;
  const said = oneOf("--dialect", flags.dialect, dialectNames);
  // Engines without a hand-over are one pool. Those of `--decode` alone are, too, unless a hand-over is asked for.
  const decodesAlone = flags.prefill.length === 0 && flags.decode.length > 0 && !hasEngines;
  const isPlain = hasEngines || said === "plain" || (decodesAlone && flags.dialect === undefined);
  const whole = hasEngines || !decodesAlone ? "engine" : "decode";
  if (hasEngines && flags.prefill.length + flags.decode.length > 0) {
    fail("--engine does not stand beside --prefill and --decode");
  }
  if (hasEngines && said !== undefined && said !== "plain") {
    fail(`--dialect ${said} hands over between --prefill and --decode, not within --engine`);
  }
  if (isPlain && flags.prefill.length > 0) fail("--dialect plain has no --prefill");
  const cacheTokens = readTokens("--decode-cache-tokens", flags.decodeCacheTokens, fail);
  const pools: NonNullable<ConfigInput["pools"]> = isPlain
    ? {
        decode: {
          ...pool(whole, "decode", "least_conn"),
          ...readShadow(flags.shadow, undefined, fail),
          ...cachesOf(flags, fail),
        },
      }
    : {
        prefill: {
          ...pool("prefill", "prefill", prefillPolicyName),
          ...readShadow(flags.shadow, "prefill", fail),
          ...cachesOf(flags, fail),
        },
        decode: {
          ...pool("decode", "decode", decodePolicyName),
          ...(cacheTokens !== undefined && { cacheTokens }),
        },
      };
  const encodes = (flags.encode ?? []).length > 0;
  if (encodes) pools["encode"] = pool("encode", undefined, "least_conn");
  const encode = encodes && { encode: { pool: "encode" } };
  const dialect = said ?? "omni";
  const onFailure = ["error", "decode_only"] as const;
  const onPrefillFailure = oneOf("--on-prefill-failure", flags.onPrefillFailure, onFailure);
  const prefillMinTokens = readTokens("--prefill-min-tokens", flags.prefillMinTokens, fail);
  const level = oneOf("--log-level", flags.logLevel, logLevels) ?? "error";
  const workers = readWorkers(flags.workers, fail);
  const listen = readListen(flags.listen ?? "8080", fail);
  const admin = readAdmin(flags.admin, fail);
  if (errors.length > 0) return { errors };

  const accessLogs = flags.accessLog === undefined ? [] : [{ file: flags.accessLog }];
  const route: Route = {
    match: { path: "/" },
    target: { pool: "decode" },
    ...encode,
    ...(isPlain
      ? { dialect: "plain", byEndpoint: true }
      : { prefill: { pool: "prefill" }, dialect }),
    ...(onPrefillFailure && { onPrefillFailure }),
    ...(prefillMinTokens !== undefined && { prefillMinTokens }),
    ...(flags.explain && { explain: true }),
    accessLogs,
  };
  const input: ConfigInput = {
    workers: workers ?? 1,
    ...pathsOf(flags),
    errorLog: { level },
    ...(admin && { admin }),
    pools,
    servers: [{ listen: [listen ?? { port: 8080 }], routes: [route] }],
  };
  return { config: configSchema.parse(input) };
}

const takesSeqs = "pd_score_balance and omni_proxy go by it";

type Fail = (message: string, hint?: string) => undefined;

function readWorkers(text: string | undefined, fail: Fail): number | "auto" | undefined {
  if (text === undefined || text === "auto") return text;
  const workers = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (workers >= 1 && workers <= 64) return workers;
  return fail(`invalid number "${text}" for --workers`, "a whole number from 1 to 64, or auto");
}

function readCount(flag: string, text: string | undefined, fail: Fail): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  return fail(`invalid number "${text}" for ${flag}`, "a whole number from 1");
}

function readTokens(flag: string, text: string | undefined, fail: Fail): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  return fail(`invalid number "${text}" for ${flag}`, "a whole number of tokens");
}

function pathsOf({ pid, record }: Flags): Pick<ConfigInput, "pidFile" | "record"> {
  return {
    ...(pid !== undefined && { pidFile: pid }),
    ...(record !== undefined && { record: { file: record } }),
  };
}

function readAdmin(text: string | undefined, fail: Fail): ConfigInput["admin"] {
  if (text === undefined) return undefined;
  const parsed = parseAdminAddress(text);
  if (!("problem" in parsed)) return parsed;
  return fail(`invalid address "${text}" for --admin: ${parsed.problem}`, "[HOST:]PORT");
}

function readListen(text: string, fail: Fail): Listen | undefined {
  if (text.startsWith("unix:")) return { unixPath: text.slice("unix:".length) };
  const portOnly = /^:?(\d{1,5})$/.exec(text)?.[1];
  if (portOnly !== undefined && Number(portOnly) <= 65_535) return { port: Number(portOnly) };
  if (/^[^:]+:0$|^\[.*\]:0$/.test(text)) {
    return { host: text.slice(0, -2).replace(/^\[|\]$/g, ""), port: 0 };
  }
  const parsed = parseHostAndPort(text, 8080);
  if (!("problem" in parsed)) return parsed;
  return fail(`invalid address "${text}" for --listen: ${parsed.problem}`, "[HOST:]PORT");
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

/** How the pool that computes prompts knows their tokens, and what its engines have of them. */
function cachesOf(
  { tokenize, kvEvents }: Flags,
  fail: Fail,
): Pick<NonNullable<ConfigInput["pools"]>[string], "tokenize" | "kvEvents"> {
  if (kvEvents === undefined) return tokenize ? { tokenize } : {};
  const ports = parseKvEventPorts(kvEvents);
  if (ports !== undefined) return { tokenize: true, kvEvents: ports };
  fail(`invalid ports "${kvEvents}" for --kv-events`, "--kv-events 5557 or --kv-events 5557:5558");
  return {};
}
