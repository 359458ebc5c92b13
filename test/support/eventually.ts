/** Waiting for a fact, never for a duration. */

const patienceMs = 15_000;

/** Looks until it is so; fails after 15 s. An error of the look itself ends the wait. */
export async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + patienceMs;
  while (!(await isSo())) {
    if (Date.now() > deadlineMs) throw new Error(`did not become so within ${patienceMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
