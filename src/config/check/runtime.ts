/** What the runtime can do, as far as a configuration depends on it. */
import { availableParallelism } from "node:os";

export interface Runtime {
  readonly name: "Bun" | "Node";
  readonly version: string;
  /** Whether several threads may listen on one port (SO_REUSEPORT). */
  readonly sharedPorts: boolean;
  readonly cores: number;
}

/** The first Node whose `listen` knows `reusePort`. */
export const sharedPortsNodeVersion = "22.12";

export function currentRuntime(): Runtime {
  const bun = process.versions["bun"];
  const version = bun ?? process.versions.node;
  return {
    name: bun === undefined ? "Node" : "Bun",
    version,
    sharedPorts: process.platform === "linux" && (bun !== undefined || knowsReusePort(version)),
    cores: availableParallelism(),
  };
}

/** Node 23.0 came before 22.12 and does not have it yet. */
export function knowsReusePort(nodeVersion: string): boolean {
  const [major = 0, minor = 0] = nodeVersion.split(".").map(Number);
  if (major === 22) return minor >= 12;
  return major === 23 ? minor >= 1 : major > 23;
}

/**
 * The number of workers. `auto` is one per core if threads can share a port, else one. (`check.ts` rejects a larger
 * number if they cannot.)
 */
export function countWorkers(workers: number | "auto", runtime: Runtime): number {
  if (workers !== "auto") return workers;
  return runtime.sharedPorts ? Math.min(runtime.cores, 64) : 1;
}
