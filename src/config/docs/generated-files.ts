/** All files of the repository that `npm run docs` writes, whole or in part. */
import { configurationJsonSchema, configurationMarkdown } from "./configuration-page.ts";
import {
  allAttributesTable,
  attributeTable,
  kvReleaseTable,
  overviewTable,
  pagesWithAttributes,
} from "./dialect-pages.ts";
import { withGeneratedPart } from "./generated-part.ts";
import { nginxDirectivesMarkdown } from "./nginx-page.ts";
import { policiesText } from "./policies-page.ts";
import { controlPathsTable } from "./security-page.ts";

/** Pages that are written by hand, but for one part. */
const parts: readonly (readonly [file: string, part: string, text: () => string])[] = [
  ["docs/dialects.md", "dialects", overviewTable],
  ["docs/kv-transfer.md", "attributes", allAttributesTable],
  ["docs/kv-transfer.md", "releases", kvReleaseTable],
  ["docs/policies.md", "policies", policiesText],
  ["docs/security.md", "control-paths", controlPathsTable],
  ...pagesWithAttributes().map(
    (page) => [`docs/dialects/${page}.md`, "attributes", () => attributeTable(page)] as const,
  ),
];

/**
 * Contents by path from the repository's root.
 * @param read the text of a file that is there now
 */
export function generatedFiles(read: (file: string) => string): ReadonlyMap<string, string> {
  const files = new Map([
    ["config.schema.json", configurationJsonSchema()],
    ["docs/configuration.md", configurationMarkdown()],
    ["docs/nginx.md", nginxDirectivesMarkdown()],
  ]);
  for (const [file, part, text] of parts)
    files.set(file, withGeneratedPart(files.get(file) ?? read(file), part, text()));
  return files;
}
