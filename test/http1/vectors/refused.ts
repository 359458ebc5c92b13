// All requests that have to be refused.

import { CHUNKS } from "./chunks.ts";
import { FIELD_LINES, HOSTS, OTHER_FIELDS } from "./field-lines.ts";
import { FRAMINGS } from "./framing.ts";
import { REQUEST_LINES, TARGETS } from "./request-line.ts";
import type { RefusedRequest } from "./vector.ts";

export const REFUSED: readonly RefusedRequest[] = [
  ...REQUEST_LINES,
  ...TARGETS,
  ...FIELD_LINES,
  ...HOSTS,
  ...FRAMINGS,
  ...CHUNKS,
  ...OTHER_FIELDS,
];
