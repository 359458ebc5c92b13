/**
 * Paths of what an engine, or a service in its place, stores beyond the request that has made it. Responses are told
 * apart by their ids. All else has ids that the proxy does not give, and lists that name everybody's.
 */
import { decoded, segmentsOf } from "./path-readings.ts";

/** Of OpenAI's API and of Anthropic's, as names in a path. */
export const sharedStorageNames: readonly string[] = [
  ...["files", "uploads", "batches", "containers", "conversations", "vector_stores", "videos"],
  ...["assistants", "threads", "fine_tuning", "evals", "chatkit", "skills"],
];

export interface StoragePath {
  /** It is about something whose tenant nobody can tell. */
  readonly isShared: boolean;
  /** What follows each `/responses`, in lower case; "" = nothing. Empty = it is not about responses. */
  readonly responseIds: readonly string[];
}

const names: ReadonlySet<string> = new Set(sharedStorageNames);
/** Paths without any of this are most, and need no closer look. */
const mayBeStored = new RegExp(`%|responses|${sharedStorageNames.join("|")}`);
const nothing: StoragePath = { isShared: false, responseIds: [] };

let lastUri = "";
let lastResult = nothing;

/**
 * As the engine reads the path and as anybody else might, who ignores case, merges slashes or decodes once more.
 * @param uri path and query, as in the request line that the engine gets
 */
export function storagePathOf(uri: string): StoragePath {
  if (uri === lastUri) return lastResult;
  lastResult = find(/^[^?]*/.exec(uri)![0].toLowerCase());
  lastUri = uri;
  return lastResult;
}

function find(path: string): StoragePath {
  if (!mayBeStored.test(path)) return nothing;
  const segments = segmentsOf(decoded(path)?.toLowerCase() ?? path);
  const responseIds = segments.flatMap((segment, index) =>
    segment === "responses" ? [segments[index + 1] ?? ""] : [],
  );
  const isShared = segments.some((segment) => names.has(segment));
  return isShared || responseIds.length > 0 ? { isShared, responseIds } : nothing;
}
