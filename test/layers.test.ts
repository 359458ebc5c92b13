/** Imports point down the list of layers and never up, and no files import each other in a circle. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const src = fileURLToPath(new URL("../src", import.meta.url));

/**
 * Top to bottom: each may import what stands below it. `config` stands above what defines itself (orderings of the
 * queue, policies, dialects) and below what is configured. `proxy/routing` stands low since all stages read the
 * compiled route.
 */
const layers = [
  "cli",
  "lab",
  "check",
  "control/process",
  "control/admin",
  "control/workers",
  "control/discovery",
  "control/polling",
  "control",
  "proxy/worker",
  "proxy/client",
  "proxy/request",
  "proxy/pd",
  "proxy/admission",
  "proxy/upstream",
  "proxy/response",
  "proxy/routing",
  "proxy/context",
  "queue",
  "kv-events",
  "pool",
  "observe",
  "config",
  "queue/orderings",
  "policies",
  "prefix-cache",
  "estimates",
  "scoreboard",
  "dialects",
  "body",
  "http2",
  "http1",
  "transport",
  "limits.ts",
];

/** Beside the product: what it may import, and who may import it. */
const simulator = "simulated-engine";
const simulatorImports = ["config", "limits.ts"];
const simulatorUsers = ["cli"];

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts"),
);

/** Static and dynamic imports, re-exports, and files that are named by URL, such as a worker's. */
const specifier = /\b(?:from|import|import\(|new URL\()\s*"(\.{1,2}\/[^"]+)"/g;

/** Files by path from `src`. The package's own files outside of it, such as package.json, belong to no layer. */
const imports: ReadonlyMap<string, readonly string[]> = new Map(
  files.map((file) => {
    const text = readFileSync(join(src, file), "utf8");
    const targets = [...text.matchAll(specifier)].map(([, path]) =>
      relative(src, join(src, dirname(file), path!)).replace(/\.js$/, ".ts"),
    );
    return [file, targets.filter((target) => !target.startsWith(".."))];
  }),
);

/** The deepest layer in the list that a file stands in. */
function layerOf(file: string): string | undefined {
  const [first = "", second = ""] = file.split("/");
  const deep = `${first}/${second}`;
  if (layers.includes(deep)) return deep;
  return layers.includes(first) || first === simulator ? first : undefined;
}

function mayImport(from: string, to: string): boolean {
  if (from === to) return true;
  if (from === simulator) return simulatorImports.includes(to);
  if (to === simulator) return simulatorUsers.includes(from);
  return layers.indexOf(from) < layers.indexOf(to);
}

/** Groups of files that reach each other by imports: Tarjan's strongly connected components of more than one file. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const index = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): number => {
    const own = index.size;
    index.set(file, own);
    stack.push(file);
    let low = own;
    for (const target of graph.get(file) ?? []) {
      if (target === file) found.push([file]);
      if (!graph.has(target)) continue;
      if (!index.has(target)) low = Math.min(low, visit(target));
      else if (stack.includes(target))
        low = Math.min(low, lowest.get(target) ?? index.get(target)!);
    }
    lowest.set(file, low);
    if (low === own) {
      const group = stack.splice(stack.indexOf(file));
      if (group.length > 1) found.push(group.sort());
    }
    return low;
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return found;
}

test("every folder of src stands in the list of layers, and the list names no other", () => {
  const unlisted = files.filter((file) => layerOf(file) === undefined);
  expect(unlisted).toEqual([]);
  const missing = [...layers, simulator].filter((layer) => !existsSync(join(src, layer)));
  expect(missing).toEqual([]);
});

test("no file imports what stands above it, types included", () => {
  const upward = [...imports].flatMap(([file, targets]) =>
    targets
      .filter((target) => !mayImport(layerOf(file)!, layerOf(target)!))
      .map((target) => `${file} → ${target}`),
  );
  expect(upward).toEqual([]);
});

test("no files import each other in a circle, types included", () => {
  expect(circles(imports)).toEqual([]);
});

test("a circle of files is found, whichever way it runs", () => {
  const graph = new Map([
    ["a", ["b", "d"]],
    ["b", ["c"]],
    ["c", ["a"]],
    ["d", ["e"]],
    ["e", []],
    ["f", ["g"]],
    ["g", ["f", "a"]],
  ]);
  expect(circles(graph)).toEqual([
    ["a", "b", "c"],
    ["f", "g"],
  ]);
});

test("relative imports name files that are there", () => {
  const missing = [...imports].flatMap(([file, targets]) =>
    targets
      .filter((target) => !existsSync(join(src, target)))
      .map((target) => `${file} → ${target}`),
  );
  expect(missing).toEqual([]);
});
