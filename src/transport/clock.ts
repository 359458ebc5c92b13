/** Where the data plane reads the time: the machine's clocks, or those of a simulation. */

export interface Clock {
  /** Monotonic, in ms. */
  nowMs(): number;
  /** Since the epoch, in ms. */
  wallMs(): number;
  /** Runs a task after the current event. */
  defer(task: () => void): void;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  defer: (task) => void setImmediate(task),
};
