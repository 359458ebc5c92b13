/** How a request ends when one of its legs fails, or finds no engine. */
import type { LegName } from "../../../dialects/dialect.ts";
import type { LegFailure } from "../../context/legs.ts";
import { type Outcome, outcomes } from "../../context/outcomes.ts";
import { wholeRequestOutcomes } from "../../context/whole-request-outcomes.ts";

type Failure = LegFailure | "no-healthy-engine" | "at-capacity";

export type LegOutcomes = Readonly<Record<LegName, Readonly<Record<Failure, Outcome>>>>;

const prefill = {
  error: outcomes.prefillFailed,
  timeout: outcomes.prefillTimeout,
  invalid: outcomes.prefillInvalid,
  descriptors: outcomes.noDescriptors,
  "no-healthy-engine": outcomes.noPrefillEngine,
  "at-capacity": outcomes.prefillFull,
};

/** Of a route with prefill and decode engines. */
export const splitOutcomes: LegOutcomes = {
  prefill,
  decode: {
    error: outcomes.decodeFailed,
    timeout: outcomes.decodeTimeout,
    invalid: outcomes.decodeInvalid,
    descriptors: outcomes.noDescriptors,
    "no-healthy-engine": outcomes.noDecodeEngine,
    "at-capacity": outcomes.decodeFull,
  },
};

/** Of a route without a prefill, whose only leg is called decode throughout the code. */
export const wholeOutcomes: LegOutcomes = {
  prefill,
  decode: {
    error: wholeRequestOutcomes.failed,
    timeout: wholeRequestOutcomes.timeout,
    invalid: wholeRequestOutcomes.invalid,
    descriptors: outcomes.noDescriptors,
    "no-healthy-engine": wholeRequestOutcomes.noEngine,
    "at-capacity": wholeRequestOutcomes.full,
  },
};
