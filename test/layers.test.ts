/** Imports go down the list of layers in CONTRIBUTING.md and never up. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const src = fileURLToPath(new URL("../src", import.meta.url));

/** Folders that each folder may import from, besides its own. `limits.ts`, at the top, is a value for all. */
const values = ["config", "observe", "limits.ts"];
const bottom = ["http1", "body", "transport"];
const middle = [
  "queue",
  "queue/orderings",
  "kv-events",
  "pool",
  "policies",
  "prefix-cache",
  "estimates",
  "scoreboard",
  "dialects",
];
const allowed: Readonly<Record<string, readonly string[]>> = {
  "limits.ts": [],
  // The schema is made of the definitions of policies, orderings and dialects.
  config: ["queue/orderings", "policies", "dialects", "limits.ts"],
  observe: ["config", "limits.ts"],
  http1: values,
  body: values,
  transport: values,
  ...Object.fromEntries(middle.map((layer) => [layer, [...values, ...bottom, ...middle]])),
  dialects: ["body", "limits.ts"],
  proxy: [...values, ...bottom, ...middle],
  control: [...values, ...bottom, ...middle, "proxy"],
  // Beside the product: nothing but the command line imports them.
  "simulated-engine": values,
  lab: [...values, ...bottom, ...middle, "simulated-engine"],
  cli: [...values, ...bottom, ...middle, "proxy", "control", "simulated-engine", "lab"],
};

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts"),
);

/** Static and dynamic imports, re-exports, and files that are named by URL, such as a worker's. */
const specifier = /\b(?:from|import|import\(|new URL\()\s*"(\.{1,2}\/[^"]+)"/g;

function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), "utf8");
  return [...text.matchAll(specifier)].map(([, path]) => join(src, dirname(file), path!));
}

function layerOf(path: string): string {
  const [folder = "", subfolder = ""] = relative(src, path).split("/");
  return subfolder === "orderings" ? `${folder}/${subfolder}` : folder;
}

test("every folder of src stands in the list of layers", () => {
  for (const file of files) expect(allowed, file).toHaveProperty([layerOf(join(src, file))]);
});

test("no file imports what stands above it", () => {
  const upward = files.flatMap((file) => {
    const layer = layerOf(join(src, file));
    const reachable = [layer, ...(allowed[layer] ?? [])];
    return importsOf(file)
      .filter((target) => {
        const to = layerOf(target);
        // The package's own files outside src, such as package.json, belong to no layer.
        return to !== ".." && !reachable.includes(to);
      })
      .map((target) => `${file} → ${relative(src, target)}`);
  });
  expect(upward).toEqual([]);
});

test("relative imports name files that are there", () => {
  const missing = files.flatMap((file) =>
    importsOf(file)
      .map((target) => target.replace(/\.js$/, ".ts"))
      .filter((target) => !existsSync(target))
      .map((target) => `${file} → ${relative(src, target)}`),
  );
  expect(missing).toEqual([]);
});
