/** The files of the dashboard, as `npm run build` has left them beside the program. */
import { readFile } from "node:fs/promises";
import type { PageFiles } from "../control/admin/dashboard/page-files.ts";

const built = new URL("../../dist/dashboard.json", import.meta.url);
let files: Promise<PageFiles> | undefined;

/** Read when they are first asked for. Without them the dashboard is not found, and all else works. */
export function readPageFiles(): Promise<PageFiles> {
  files ??= readFile(built, "utf8").then(
    (text) => JSON.parse(text) as PageFiles,
    () => ({}),
  );
  return files;
}
