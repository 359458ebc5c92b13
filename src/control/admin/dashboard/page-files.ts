/** The files of the page, which the program has with it. They say nothing of this proxy, and need no token. */
import { AdminError } from "../problem.ts";
import type { AdminResponse } from "../response.ts";

/** By path, such as `/`. */
export type PageFiles = Readonly<Record<string, PageFile>>;

export interface PageFile {
  readonly contentType: string;
  readonly text: string;
}

/** Only what comes from here is loaded and run; nothing is written into the page's text, and nobody may frame it. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Throws `AdminError`. */
export function pageFile(files: PageFiles, path: string): AdminResponse {
  const file = Object.hasOwn(files, path) ? files[path] : undefined;
  if (file === undefined) {
    const message = `there is no ${path}: this program was built without it, or is another version`;
    throw new AdminError(404, "not_found", message);
  }
  const headers = { "content-security-policy": policy, "referrer-policy": "no-referrer" };
  return { status: 200, contentType: file.contentType, body: file.text, headers };
}
