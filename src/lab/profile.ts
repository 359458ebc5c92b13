/** How fast an engine is: the model's constants, with where they come from. */

export interface EngineProfile {
  readonly name: string;
  readonly source: string;
  /** Prefill of one step: `base + perToken · uncached + perPair · uncached · total`, in ms. */
  readonly prefillBaseMs: number;
  readonly prefillTokenMs: number;
  readonly prefillPairMs: number;
  /** Most uncached tokens that one prefill step takes of several requests; 0 = one request at a time. */
  readonly prefillBatchTokens: number;
  /** KV transfer: `base + tokens · perToken`, in ms. */
  readonly transferBaseMs: number;
  readonly transferTokenMs: number;
  /** Decode step: `base + perRequest · batch + perKvToken · resident KV tokens`, in ms. */
  readonly stepBaseMs: number;
  readonly stepRequestMs: number;
  readonly stepKvTokenMs: number;
  /** KV room of a decode engine, in tokens. */
  readonly kvTokens: number;
}

/**
 * A dense 70B model on 8 accelerators of 310 to 380 dense BF16 TFLOP/s at half of that (A100 to H100 class): 2 · 70e9
 * FLOP a token, 4 · 80 · 8192 / 2 FLOP a token pair. 16k uncached tokens take 2.0 s.
 */
export const dense70b: EngineProfile = {
  name: "dense-70b",
  source: "70B dense on 8 accelerators of 310 to 380 TFLOP/s at 50 %",
  prefillBaseMs: 20,
  prefillTokenMs: 0.1045,
  prefillPairMs: 1e-6,
  prefillBatchTokens: 0,
  transferBaseMs: 5,
  transferTokenMs: 1 / 305,
  stepBaseMs: 20,
  stepRequestMs: 0.1,
  stepKvTokenMs: 4.3e-5,
  kvTokens: 1e6,
};

/** Of a prefill alone, in ms. */
export function prefillMs(profile: EngineProfile, uncached: number, total: number): number {
  const { prefillBaseMs, prefillTokenMs, prefillPairMs } = profile;
  return prefillBaseMs + prefillTokenMs * uncached + prefillPairMs * uncached * total;
}

export function transferMs(profile: EngineProfile, tokens: number): number {
  return profile.transferBaseMs + profile.transferTokenMs * tokens;
}

/** Time to the first token of a request that meets an empty fleet with cold caches: what its SLO is measured by. */
export function unloadedTtftMs(profile: EngineProfile, tokens: number): number {
  const step = profile.stepBaseMs + profile.stepRequestMs + profile.stepKvTokenMs * tokens;
  return prefillMs(profile, tokens, tokens) + transferMs(profile, tokens) + step;
}
