/** Where in nginx.conf a directive may stand. */

/** Blocks that hold directives. */
export type Context = "main" | "events" | "http" | "server" | "location" | "upstream";

export const anyHttp: readonly Context[] = ["http", "server", "location"];
export const httpAndServer: readonly Context[] = ["http", "server"];
