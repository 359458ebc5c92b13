/** Where an engine reads the time and sets its timers: the machine's clocks, or those that a test hands in. */

export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /** Milliseconds since 1970, for dates. */
  wallMs(): number;
  /** Runs `run` once, at the earliest after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

/** The longest delay that `setTimeout` honours. */
const delayMsMax = 2_147_483_647;

export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, run) {
    // A timer cannot wait for less than 1 ms; the scheduler makes up for the difference in its next step.
    if (delayMs < 0.5) {
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(run, Math.min(delayMs, delayMsMax));
    return () => clearTimeout(timer);
  },
};
