/** All checks, in the order in which they run: each may use what those before it have found out. */
import type { DialectName } from "../dialects/registry.ts";
import { aborts } from "./checks/aborts.ts";
import { advice } from "./checks/advice.ts";
import { answers } from "./checks/answers.ts";
import { dialectCheck } from "./checks/dialect.ts";
import { kvEvents } from "./checks/kv-events.ts";
import { modelsCheck } from "./checks/models.ts";
import { reach } from "./checks/reach.ts";
import { serves } from "./checks/serves.ts";
import { sideChannel } from "./checks/side-channel.ts";
import { signals } from "./checks/signals.ts";
import { transfer } from "./checks/transfer.ts";
import type { Check } from "./context.ts";

export interface CheckWishes {
  /** Undefined = it is found out. */
  readonly dialect: DialectName | undefined;
  /** Undefined = one that the engines list. */
  readonly model: string | undefined;
}

export function allChecks({ dialect, model }: CheckWishes): readonly Check[] {
  return [
    reach,
    dialectCheck(dialect),
    modelsCheck(model),
    signals,
    serves,
    transfer,
    sideChannel,
    answers,
    kvEvents,
    aborts,
    advice,
  ];
}
