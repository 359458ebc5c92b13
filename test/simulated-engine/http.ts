/** Short forms of the requests that the engine tests send, and of waiting for what follows. */

import type { EngineState } from "../../src/simulated-engine/core/state.ts";

export async function post(
  url: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

export async function stateOf(url: string): Promise<EngineState> {
  return (await fetch(`${url}/debug/state`)).json() as Promise<EngineState>;
}

export async function setFault(url: string, fault: object): Promise<void> {
  const response = await post(url, "/debug/fault", fault);
  if (!response.ok) throw new Error(await response.text());
}

/** The events of a stream, without `data: `. */
export function eventsOf(text: string): string[] {
  return text
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => event.replace(/^data: /, ""));
}

/** The `kv_transfer_params` of an answer as the bytes that they are. */
export function kvParamsOf(response: string): string {
  const key = '"kv_transfer_params":';
  return response.slice(response.lastIndexOf(key) + key.length, -1);
}

/** Adds a member to a JSON object by its bytes, as the proxy does. */
export function splice(body: object, key: string, json: string): string {
  return `${JSON.stringify(body).slice(0, -1)},"${key}":${json}}`;
}
