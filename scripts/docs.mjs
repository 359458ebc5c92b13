/** Writes what is generated from definitions: pages of `docs/` and `config.schema.json`. Run by `npm run docs`, after a build. */
import { readFileSync, writeFileSync } from "node:fs";
import { generatedFiles } from "../dist/config/docs/generated-files.js";

const inRoot = (file) => new URL(`../${file}`, import.meta.url);

for (const [file, text] of generatedFiles((name) => readFileSync(inRoot(name), "utf8"))) {
  writeFileSync(inRoot(file), text);
}
