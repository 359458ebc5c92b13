/** Waiting for a fact, never for a duration. */
import { patienceMs } from "./times.ts";

/** Checks until it is true; fails when that takes very long. An error of the check itself ends the wait. */
export async function eventually(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  while (!(await isTrue())) {
    if (performance.now() > deadlineMs)
      throw new Error(`not true within ${patienceMs} ms: ${isTrue}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
