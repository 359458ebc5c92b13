/** What every check has at hand. */
import type { Faults } from "../problems/fault.ts";
import type { Config, ConfigInput } from "../schema/schema.ts";
import type { TextChecks } from "./text-checks.ts";

export interface CheckContext {
  readonly config: Config;
  /** What it was made of, if that is known: some of it has no effect. */
  readonly input?: ConfigInput | undefined;
  readonly faults: Faults;
  readonly texts: TextChecks;
}
