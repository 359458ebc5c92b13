/** The dashboard's routes: the files of its page, what it is told as it happens, and the requests of its lists. */
import { z } from "zod";
import type { RequestLists } from "../../../proxy/worker/explanations.ts";
import { recordSchema } from "../explain.ts";
import { json } from "../response.ts";
import type { AdminCall, AdminRoute } from "../route.ts";
import { count, named } from "../schemas.ts";
import { pageFile } from "./page-files.ts";
import { requestsOf } from "./requests.ts";

const place = z.object({ pool: z.string(), engine: z.string() });
const list = (about: string) => z.array(recordSchema).describe(about);

export const dashboardRoutes: readonly AdminRoute[] = [
  {
    group: "requests",
    method: "GET",
    path: "/admin/requests",
    id: "listRequests",
    summary:
      "The last requests that have ended, the slowest, and those that failed, apart by whose fault it was.",
    responses: {
      200: named(
        "Requests",
        z.object({
          running: list("Those that go on or wait. The last ones first."),
          recent: list("The last ones first."),
          failed: list("Through no fault of their client. The last ones first."),
          clientFaults: list("Refused, or given up by their client. The last ones first."),
          slowToStart: list("Streams whose first byte took longest, of the last minutes."),
          slowToEnd: list("What took longest in all, of the last minutes."),
          flows: z
            .array(z.object({ from: place, to: place, requests: count }))
            .describe("Of the last 10 s: which prefill engines worked for which decode engines."),
        }),
      ),
    },
    respond: async ({ source }) =>
      json(200, requestsOf((await source.ask({ about: "requests" })) as RequestLists[])),
  },
  {
    group: "dashboard",
    method: "GET",
    path: "/admin/stream",
    id: "streamDashboard",
    summary: "What the dashboard shows, as server-sent events: the last minutes, then each change.",
    responses: { 200: "text/event-stream" },
    errors: [503],
    respond: ({ source }) => source.dashboard.stream(),
  },
  {
    group: "dashboard",
    method: "GET",
    path: "/",
    id: "getDashboard",
    summary: "The dashboard.",
    responses: { 200: "text/html" },
    errors: [404],
    isOpen: true,
    respond: file,
  },
  {
    group: "dashboard",
    method: "GET",
    path: "/dashboard/{file}",
    id: "getDashboardFile",
    summary: "What the dashboard's page loads.",
    responses: { 200: "text/javascript" },
    errors: [404],
    isOpen: true,
    respond: file,
  },
];

async function file({ source, path }: AdminCall) {
  return pageFile(await source.pageFiles(), path);
}
