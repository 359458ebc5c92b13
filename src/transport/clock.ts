/** Where the data plane has its time from: the machine's clocks, or those of a simulation. */

export interface Clock {
  /** Monotonic, in ms. */
  nowMs(): number;
  /** Since the epoch, in ms. */
  wallMs(): number;
  /** Runs a task once the event at hand is over. */
  defer(task: () => void): void;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  defer: (task) => void setImmediate(task),
};
