/** `docs/admin.md`: its list of routes, from the table that serves them. */
import { withGeneratedPart } from "../../config/docs/generated-part.ts";
import { code, table } from "../../config/docs/markdown.ts";
import { routeGroups } from "./route.ts";
import { adminRoutes } from "./routes.ts";

/** The page with its list made anew. */
export function adminPage(page: string): string {
  const rows = routeGroups.flatMap((group) =>
    adminRoutes
      .filter((route) => route.group === group)
      .map(({ method, path, summary }) => [code(`${method} ${path}`), summary]),
  );
  return withGeneratedPart(page, "routes", table(["request", "what it does"], rows));
}
