/** What every check has at hand. */
import type { Faults } from "../problems/fault.ts";
import type { Config } from "../schema/schema.ts";
import type { TextChecks } from "./text-checks.ts";

export interface CheckContext {
  readonly config: Config;
  readonly faults: Faults;
  readonly texts: TextChecks;
}
