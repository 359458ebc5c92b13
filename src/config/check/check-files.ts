/** Checks of what a route responds with by itself: files and content types. */
import type { ConfigPath } from "../problems/fault.ts";
import { didYouMean } from "../problems/suggest.ts";
import type { RouteConfig } from "../schema/schema.ts";
import { nginxContentTypes } from "../values/content-types.ts";
import type { CheckContext } from "./context.ts";

export function checkFiles(
  { config, faults, texts }: CheckContext,
  { files, page, contentTypes }: RouteConfig,
  path: ConfigPath,
): void {
  const known = [nginxContentTypes, ...Object.keys(config.contentTypes)];
  if (contentTypes !== undefined && !known.includes(contentTypes)) {
    const message = `unknown list of content types "${contentTypes}"`;
    faults.emerg([...path, "contentTypes"], message, didYouMean(contentTypes, known));
  }
  if (files === undefined) return;
  const at = [...path, "files"];
  if (page !== undefined) faults.emerg(at, "a route with a page has no files");
  texts.template([...at, "root"], files.root);
  for (const key of ["index", "tries"] as const) {
    files[key].forEach((text, index) => {
      texts.template([...at, key, index], text);
    });
  }
  const { otherwise, tries } = files;
  if ((otherwise === undefined) !== (tries.length === 0)) {
    const hint = 'such as tries: ["$uri"], otherwise: "=404"';
    faults.emerg(at, '"tries" and "otherwise" need each other', hint);
  }
  if (otherwise === undefined) return;
  texts.template([...at, "otherwise"], otherwise);
  const status = /^=(.*)$/s.exec(otherwise)?.[1];
  if (status !== undefined && !/^[2-5]\d\d$/.test(status)) {
    faults.emerg([...at, "otherwise"], `invalid status "${otherwise}"`, "=200 to =599");
  }
}
