/** Files that the configuration names by templates. */
import { type Stats, statSync } from "node:fs";

/**
 * What is at a path, behind symbolic links; undefined = nothing that can be seen. The file system is asked at once, as
 * nginx does: a look at the entry of a local file takes microseconds.
 */
export function fileAt(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // A part of the path may not be searched, is no folder, or the path has a zero byte.
    return undefined;
  }
}
