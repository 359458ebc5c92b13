/** The part of `docs/security.md` that follows from the list of control paths. */
import { controlGroups } from "../../dialects/endpoints/control-paths.ts";
import { code, table } from "./markdown.ts";

export function controlPathsTable(): string {
  const rows = controlGroups.map(({ effect, names }) => [effect, names.map(code).join(", ")]);
  return table(["a client could", "names"], rows);
}
