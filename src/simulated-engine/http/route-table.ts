/** Paths that a dialect serves, on the engine's HTTP port or on its side port. */

/** By method and path: `GET /server_info`. */
export type RouteTable = Readonly<Record<string, RouteHandler>>;

export type RouteHandler = (call: RouteCall) => RouteResponse | Promise<RouteResponse>;

export interface RouteCall {
  readonly query: URLSearchParams;
  readonly headers: NodeJS.Dict<string | string[]>;
  /** The parsed body; undefined when it is not JSON. */
  readonly body: unknown;
  /** Aborted when the caller disconnects. */
  readonly signal: AbortSignal;
}

export interface RouteResponse {
  readonly status: number;
  /** The body. */
  readonly json: string;
  /** For a body that is not JSON. On the HTTP port only. */
  readonly contentType?: string;
}

export function routeOf(
  table: RouteTable | undefined,
  method: string,
  path: string,
): RouteHandler | undefined {
  const key = `${method} ${path}`;
  return table !== undefined && Object.hasOwn(table, key) ? table[key] : undefined;
}

/** Never rejects: a handler that fails leads to a 500 that says why. */
export async function runRoute(handler: RouteHandler, call: RouteCall): Promise<RouteResponse> {
  try {
    return await handler(call);
  } catch (error) {
    return { status: 500, json: JSON.stringify({ detail: String(error) }) };
  }
}

/** Undefined for text that is not JSON. */
export function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
