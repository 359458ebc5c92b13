/** Values of single flags: numbers, names and addresses. Each function reports what is wrong through `fail`. */
import { didYouMean } from "../problems/suggest.ts";
import { parseOperatorAddress } from "../schema/operators.ts";
import type { ConfigInput } from "../schema/schema.ts";
import { parseHostAndPort } from "../values/engine-url.ts";
import type { Flags } from "./flags.ts";

export type Fail = (message: string, hint?: string) => undefined;

type Listen = ConfigInput["servers"][number]["listen"][number];

export function oneOf<Name extends string>(
  flag: string,
  word: string | undefined,
  names: readonly Name[],
  fail: Fail,
): Name | undefined {
  if (word === undefined) return undefined;
  const found = names.find((name) => name === word);
  if (found !== undefined) return found;
  const hint = didYouMean(word, names) ?? `valid: ${names.join(", ")}`;
  return fail(`unknown name "${word}" for ${flag}`, hint);
}

export function readWorkers(text: string | undefined, fail: Fail): number | "auto" | undefined {
  if (text === undefined || text === "auto") return text;
  const workers = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (workers >= 1 && workers <= 64) return workers;
  return fail(`invalid number "${text}" for --workers`, "a whole number from 1 to 64, or auto");
}

export function readCount(flag: string, text: string | undefined, fail: Fail): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  return fail(`invalid number "${text}" for ${flag}`, "a whole number of 1 or more");
}

export function readTokens(flag: string, text: string | undefined, fail: Fail): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  return fail(`invalid number "${text}" for ${flag}`, "a whole number of tokens");
}

/** At most a day, as in files. */
export function readMs(flag: string, text: string | undefined, fail: Fail): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,8}$/.test(text) && Number(text) <= 86_400_000) return Number(text);
  return fail(`invalid time "${text}" for ${flag}`, "milliseconds, from 0 to 86400000");
}

export function readAdmin({ admin, adminTokenFile, adminTokenEnv }: Flags, fail: Fail) {
  return readOperators("admin", admin, { file: adminTokenFile, env: adminTokenEnv }, fail);
}

/** `--metrics off` has workers count nothing. */
export function readMetrics(
  { metrics, metricsTokenFile: file, metricsTokenEnv: env, vllmMetricNames }: Flags,
  fail: Fail,
): ConfigInput["metrics"] {
  const isOff = metrics === "off";
  const listener = readOperators("metrics", isOff ? undefined : metrics, { file, env }, fail);
  const more = { ...(isOff && { enabled: false }), ...(vllmMetricNames && { vllmNames: true }) };
  return { ...listener, ...more };
}

/** A listener for operators, of the flag of that name. */
function readOperators(
  name: "admin" | "metrics",
  text: string | undefined,
  { file, env }: { readonly file: string | undefined; readonly env: string | undefined },
  fail: Fail,
) {
  if (file !== undefined && env !== undefined) {
    fail(`--${name}-token-file cannot be combined with --${name}-token-env`);
  }
  const token = file !== undefined ? { file } : env !== undefined ? { env } : undefined;
  if (text === undefined) {
    return token && fail(`the token of the ${name} listener needs --${name}`);
  }
  const parsed = parseOperatorAddress(text);
  if (!("problem" in parsed)) return { ...parsed, ...(token && { token }) };
  return fail(`invalid address "${text}" for --${name}: ${parsed.problem}`, "[HOST:]PORT");
}

export function readListen(text: string, fail: Fail): Listen | undefined {
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
