/**
 * Which paths clients may reach at engines: all but those that control an engine. What generates, lists, tokenises,
 * embeds or scores is known by name. A path that nobody knows goes on as well, since engines have more of them with
 * each version, unless a word in it says that it controls something.
 */

import { normalizePath } from "../../http1/head/normalize-path.ts";
import { hasControlWord, isControlName } from "./control-paths.ts";
import { endpoints } from "./endpoints.ts";
import { decoded, segmentsOf } from "./path-readings.ts";

/** Beside those of `endpoints`. Ends of paths, as there. */
export const otherClientPaths: readonly string[] = [
  "/tokenizer_info",
  "/generate_from_file",
  "/api/tags",
  "/api/show",
  "/model_info",
  "/get_model_info",
  "/health",
  "/health_generate",
  "/ready",
  "/ping",
  "/version",
  "/metrics",
];

const ends: readonly string[] = [...endpoints.flatMap(({ paths }) => paths), ...otherClientPaths];
const known: ReadonlySet<string> = new Set(ends);

let lastUri = "";
let lastResult = false;

/**
 * Whether clients may have a request sent to this path of an engine. It is read as the engine reads it, and as whoever
 * resolves dots, merges slashes, ignores case or decodes once more would: no reading may control an engine.
 *
 * @param uri path and query, as in the request line that the engine gets
 */
export function isForClients(uri: string): boolean {
  if (uri === lastUri) return lastResult;
  lastResult = decide(/^[^?#]*/.exec(uri)![0]);
  lastUri = uri;
  return lastResult;
}

function decide(path: string): boolean {
  if (known.has(path)) return true;
  const asRead = decoded(path);
  if (asRead === undefined) return false;
  const segments = segmentsOf(asRead);
  if (segments.some(isControlName)) return false;
  const normal = normalizePath(path);
  const isKnown = normal !== undefined && isListed(asRead) && isListed(normal);
  return isKnown || !segments.some(hasControlWord);
}

function isListed(path: string): boolean {
  const end = path.replace(/\/+$/, "");
  return ends.some((known) => end.endsWith(known));
}
