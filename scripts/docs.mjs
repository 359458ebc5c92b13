/** Writes what is generated from definitions: pages of `docs/` and `config.schema.json`. Run by `npm run docs`, after a build. */
import { readFileSync, writeFileSync } from "node:fs";
import { generatedFiles } from "../dist/config/docs/generated-files.js";
import { adminPage } from "../dist/control/admin/admin-page.js";
import { metricsPage } from "../dist/observe/metrics/metrics-page.js";
import { outcomesPage } from "../dist/proxy/response/local/outcomes-page.js";

const inRoot = (file) => new URL(`../${file}`, import.meta.url);

const read = (file) => readFileSync(inRoot(file), "utf8");

for (const [file, text] of generatedFiles(read)) writeFileSync(inRoot(file), text);
writeFileSync(inRoot("docs/metrics.md"), metricsPage(read("docs/metrics.md")));
writeFileSync(inRoot("docs/outcomes.md"), outcomesPage(read("docs/outcomes.md")));
writeFileSync(inRoot("docs/admin.md"), adminPage(read("docs/admin.md")));
