/** How much of the machine others used during a round, so that a disturbed round is repeated and not reported. */

import { foreignCpuUs, sleep } from "./process.ts";

/** More foreign CPU time than this, as a share of one core, disturbs a round. */
export const DISTURBED_SHARE = 0.05;
const US_PER_MS = 1000;
const QUIET_SAMPLE_MS = 500;
const QUIET_LIMIT_MS = 15_000;

/** Starts counting. @returns a function that gives the share of one core that others have used since. */
function noiseMeter(): () => number {
  const startMs = performance.now();
  const beforeUs = foreignCpuUs();
  return () => (foreignCpuUs() - beforeUs) / ((performance.now() - startMs) * US_PER_MS);
}

/**
 * Repeats a measurement that others disturbed, at most `attempts` times in all, waiting a while for the machine to
 * calm down in between. @returns the least disturbed one.
 */
export async function undisturbed<T>(
  attempts: number,
  measure: () => Promise<T>,
): Promise<{ readonly result: T; readonly foreignShare: number }> {
  let best: { result: T; foreignShare: number } | null = null;
  for (let i = 0; i < attempts; i++) {
    const meter = noiseMeter();
    const result = await measure();
    const foreignShare = meter();
    if (best === null || foreignShare < best.foreignShare) best = { result, foreignShare };
    if (best.foreignShare < DISTURBED_SHARE) break;
    if (i + 1 < attempts) await calm();
  }
  return best!;
}

async function calm(): Promise<void> {
  const giveUpMs = performance.now() + QUIET_LIMIT_MS;
  while (performance.now() < giveUpMs) {
    const meter = noiseMeter();
    await sleep(QUIET_SAMPLE_MS);
    if (meter() < DISTURBED_SHARE) return;
  }
}
