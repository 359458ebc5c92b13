/** Fits an engine profile to a live engine by measuring it. */
import type { EngineProfile } from "../profile.ts";
import { dense70b } from "../profile.ts";
import { headersOf, type Target } from "./ask.ts";
import { leastSquares, predicted } from "./fit.ts";
import {
  type DecodeSample,
  type MeasureOptions,
  measureDecode,
  measurePrefill,
  type PrefillSample,
} from "./measure.ts";

export interface Calibration {
  readonly profile: EngineProfile;
  readonly prefill: readonly PrefillSample[];
  readonly decode: readonly DecodeSample[];
  /** Largest deviation of the profile from the measurements, as a share. */
  readonly prefillError: number;
  readonly decodeError: number;
}

/** A step of 0 ms would stop a simulation's clock. */
const leastStepMs = 0.01;

const prefillFactors = ({ tokens }: PrefillSample) => [1, tokens, tokens * tokens];
const decodeFactors = ({ batch, residentTokens }: DecodeSample) => [1, batch, residentTokens];

export async function calibrate(target: Target, options: MeasureOptions): Promise<Calibration> {
  const prefill = await measurePrefill(target, options);
  const decode = await measureDecode(target, options);
  const kvTokens = await kvTokensOf(target);
  return fitted(prefill, decode, kvTokens, `${target.model} at ${target.url}`);
}

export function fitted(
  prefill: readonly PrefillSample[],
  decode: readonly DecodeSample[],
  kvTokens: number | undefined,
  name: string,
): Calibration {
  const prefillSamples = prefill.map((one) => ({ factors: prefillFactors(one), value: one.ms }));
  const decodeSamples = decode.map((one) => ({ factors: decodeFactors(one), value: one.stepMs }));
  const [prefillBaseMs = 0, prefillTokenMs = 0, prefillPairMs = 0] = leastSquares(prefillSamples);
  const [stepBaseMs = 0, stepRequestMs = 0, stepKvTokenMs = 0] = leastSquares(decodeSamples);
  const errorOf = (samples: typeof prefillSamples, coefficients: readonly number[]) =>
    Math.max(
      0,
      ...samples.map(({ factors, value }) =>
        Math.abs(predicted(factors, coefficients) / value - 1),
      ),
    );
  const capacity =
    kvTokens === undefined
      ? "KV capacity not reported, default used"
      : "KV capacity as the engine reports it";
  return {
    profile: {
      name,
      source: `measured; ${capacity}; transfer and batching of prefills not measured`,
      prefillBaseMs,
      prefillTokenMs,
      prefillPairMs,
      prefillBatchTokens: 0,
      transferBaseMs: dense70b.transferBaseMs,
      transferTokenMs: dense70b.transferTokenMs,
      stepBaseMs: Math.max(leastStepMs, stepBaseMs),
      stepRequestMs,
      stepKvTokenMs,
      kvTokens: kvTokens ?? dense70b.kvTokens,
    },
    prefill,
    decode,
    prefillError: errorOf(prefillSamples, [prefillBaseMs, prefillTokenMs, prefillPairMs]),
    decodeError: errorOf(decodeSamples, [stepBaseMs, stepRequestMs, stepKvTokenMs]),
  };
}

/** The name of the first model that the engine serves. */
export async function firstModel(
  target: Pick<Target, "url" | "apiKey" | "signal">,
): Promise<string> {
  const response = await fetch(`${target.url}/v1/models`, {
    headers: headersOf(target),
    signal: target.signal,
  });
  const body = (await response.json()) as { data?: { id?: unknown }[] };
  const id = body.data?.[0]?.id;
  if (typeof id !== "string") throw new Error(`${target.url}/v1/models names no model`);
  return id;
}

/** As vLLM reports it; undefined = this engine does not. */
async function kvTokensOf(target: Target): Promise<number | undefined> {
  try {
    const { url, signal } = target;
    const response = await fetch(`${url}/metrics`, { headers: headersOf(target), signal });
    const line = /^vllm:cache_config_info\{(.*)\}/m.exec(await response.text())?.[1] ?? "";
    const label = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(line)?.[1]);
    const tokens = label("num_gpu_blocks") * label("block_size");
    return tokens > 0 ? tokens : undefined;
  } catch {
    return undefined;
  }
}
