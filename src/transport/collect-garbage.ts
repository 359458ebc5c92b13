/** A full garbage collection of the calling thread, on either runtime. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** The part of Bun's API that is used here; its own types would clash with Node's. */
declare const Bun: { gc(isSynchronous: boolean): void };

let collect: (() => void) | undefined;

export function collectGarbage(): void {
  collect ??= "Bun" in globalThis ? collectOnBun : collectorOfNode();
  collect();
}

/** Not `Bun.shrink`: it drops all compiled code with the memory, which doubled the CPU of a request under load. */
function collectOnBun(): void {
  Bun.gc(true);
}

/** Node exposes it by a flag alone, which takes effect in contexts that are made later. */
function collectorOfNode(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}
