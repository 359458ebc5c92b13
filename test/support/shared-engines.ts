/** Engines that the proxies of all runtimes of one test file share. */
import { afterAll, beforeAll } from "vitest";
import { runtimes } from "./runtimes.ts";
import { type Engine, Stack, type StackOptions } from "./stack.ts";

export interface SharedEngines {
  /** What started them, with all of them. */
  readonly field: Stack;
  readonly prefills: readonly Engine[];
  readonly decodes: readonly Engine[];
}

/** To be called at the top of a test file; the lists are filled before its first test. */
export function sharedEngines(
  prefill: number,
  decode: number,
  options: StackOptions = {},
): SharedEngines {
  const field = new Stack(runtimes.at(-1)!, options);
  const prefills: Engine[] = [];
  const decodes: Engine[] = [];
  beforeAll(async () => {
    prefills.push(...(await field.startEngines("prefill", prefill)));
    decodes.push(...(await field.startEngines("decode", decode)));
  });
  afterAll(() => field.end());
  return { field, prefills, decodes };
}
