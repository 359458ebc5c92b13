/** What the rig needs to know of a proxy to measure it. */

import type { Engine } from "../engine-handle.ts";

export interface RunningRival {
  readonly port: number;
  /** Clients speak TLS. */
  readonly isTls?: boolean;
  /** The processes whose CPU time and memory count: for nginx its one worker, for others the whole tree. */
  pids(): number[];
  /** The latest output, for error messages. */
  output(): string;
  stop(): Promise<void>;
}

export interface Rival {
  readonly id: string;
  readonly title: string;
  /** Whether a request goes to prefill and then to decode with the hand-off, or straight to decode. */
  readonly disaggregates: boolean;
  /** It is measured by CPU alone: the clients of streams speak no TLS. */
  readonly isTls?: boolean;
  /** @returns the version to print, or null when this machine lacks the rival. */
  version(): Promise<string | null>;
  start(engine: Engine): Promise<RunningRival>;
}
