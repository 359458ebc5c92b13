/**
 * What says which engines a pool has, beside the configuration: one file for each kind, a line in `registry.ts`, and a
 * fixture in `test/control/discovery/sources/`. A source that goes quiet or wrong keeps what it last said.
 */
import type { EngineConfig } from "../../../config/schema/schema.ts";

export type SourceLevel = "notice" | "warn" | "error";

export interface SourceDeps {
  log(level: SourceLevel, message: string): void;
  /** It says something else now. */
  changed(): void;
  /** A clock that never goes back. */
  nowMs(): number;
}

/** For the process that takes over. */
export interface SourceState {
  /** Tells it from all others of the configuration. */
  readonly key: string;
  /** Of a listening socket. */
  readonly descriptor?: number;
  /** What it last said, as the source itself writes and reads it: JSON. */
  readonly said: unknown;
}

export interface EngineSource {
  /** As operators see it, such as `file /etc/engines.yaml`. */
  readonly name: string;
  /** What it last said of a pool. The order is the same each time, whatever the order of answers. */
  enginesOf(pool: string): readonly EngineConfig[];
  /**
   * Begins, and resolves when it has said something, or could not for a while. Rejects with `ServeError` if it cannot
   * work at all; then it is closed.
   * @param before what the process before was told
   */
  open(before?: SourceState): Promise<void>;
  readonly state: Omit<SourceState, "key"> | undefined;
  /** For one that listens: another process does from now on. What was said stays. */
  suspend?(): void;
  /** The other process has ended. Rejects with `ServeError`. */
  resume?(): Promise<void>;
  close(): void;
}
