/** Writes docs/nginx.md, which is made from the table of directives. */
import { writeFileSync } from "node:fs";
import { nginxDirectivesMarkdown } from "../src/config/docs/nginx-page.ts";

writeFileSync(new URL("../docs/nginx.md", import.meta.url), nginxDirectivesMarkdown());
