/** The dialects that a route can name, from their definitions in `dialects/`. */
import { z } from "zod";
import { allDialects, type DialectName, defaultDialect } from "../../dialects/registry.ts";
import { withDetails } from "./describe.ts";

const auto = "auto";

/** Also `auto`: the engines' responses show what they speak. */
export const routeDialects: readonly (DialectName | typeof auto)[] = [
  ...allDialects.map(({ name }) => name),
  auto,
];

const summaries = [
  ...allDialects.map(({ summary }) => summary),
  "detected from the engines' responses",
];

export const dialectNames = z.enum(routeDialects).meta({
  // Editors show these beside the values.
  enumDescriptions: summaries,
});

export const dialectSchema = dialectNames.default(defaultDialect).meta({
  description: withDetails(
    "The engines' KV-transfer protocol (`docs/dialects.md`).",
    "`plain` = none: one pool, no prefill. `auto` = detected from what the engines report.",
  ),
  enumDescriptions: summaries,
});
