/** Which dialect an engine speaks, by its responses to the questions of all dialects. */

import type { EngineFamily, EngineQuestion, EngineResponses } from "./definition.ts";
import type { Dialect } from "./dialect.ts";
import { allDialects, type DialectName } from "./registry.ts";

const models: EngineQuestion = { path: "/v1/models" };

/** In the order in which they are asked. An engine that does not respond to the first is asked nothing else. */
export const detectionQuestions: readonly EngineQuestion[] = [
  ...new Map(
    [models, ...dialectsOf().flatMap(({ detection }) => detection?.questions ?? [])].map(
      (question) => [question.path, question],
    ),
  ).values(),
];

export interface Detection {
  /** Engines of one route are of one family. */
  readonly family: string;
  readonly dialect: DialectName;
  /** The engine shows its family, but not its dialect. */
  readonly isAssumed: boolean;
  /** What shows it, for the log. */
  readonly from: string;
}

/** Undefined when no response shows anything. */
export function detect(responses: EngineResponses): Detection | undefined {
  for (const { name, family, detection } of dialectsOf()) {
    const from = detection?.recognise?.(responses);
    if (from !== undefined && family !== undefined)
      return { family: family.name, dialect: name, isAssumed: false, from };
  }
  return byOwner(responses);
}

function byOwner(responses: EngineResponses): Detection | undefined {
  const [, owner = ""] = /"owned_by"\s*:\s*"([^"]*)"/.exec(responses.get(models.path) ?? "") ?? [];
  for (const { name, family, detection } of dialectsOf()) {
    if (detection?.ofFamily === undefined || !isOf(family, owner)) continue;
    return {
      family: family.name,
      dialect: name,
      isAssumed: detection.ofFamily === "assumed",
      from: `owned_by "${owner}" in ${models.path}`,
    };
  }
  return undefined;
}

function isOf(family: EngineFamily | undefined, owner: string): family is EngineFamily {
  return family?.owners.includes(owner.toLowerCase()) ?? false;
}

/** With what not all of them have. */
function dialectsOf(): readonly Dialect<DialectName>[] {
  return allDialects;
}
