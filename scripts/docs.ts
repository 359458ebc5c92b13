/** Writes what is made from the configuration's schema: docs/configuration.md and config.schema.json. Run by `npm run docs`. */
import { writeFileSync } from "node:fs";
import {
  configurationJsonSchema,
  configurationMarkdown,
} from "../src/config/docs/configuration-page.ts";

const root = new URL("..", import.meta.url);
writeFileSync(new URL("docs/configuration.md", root), configurationMarkdown());
writeFileSync(new URL("config.schema.json", root), configurationJsonSchema());
