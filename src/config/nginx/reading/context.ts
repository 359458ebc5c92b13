/** Where in nginx.conf a directive may stand. */

/** Blocks that hold directives. */
export type Context =
  | "main"
  | "events"
  | "http"
  | "server"
  | "if in server"
  | "location"
  | "if in location"
  | "upstream";

export const anyHttp: readonly Context[] = ["http", "server", "location"];
/** Also where a condition chooses other settings. */
export const anyHttpAndIf: readonly Context[] = [...anyHttp, "if in location"];
export const httpAndServer: readonly Context[] = ["http", "server"];
