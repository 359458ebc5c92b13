/**
 * A newcomer who does what docs/extending.md says must end with a policy or dialect that works, by exactly the steps on
 * the page.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const root = process.cwd();
const page = readFileSync("docs/extending.md", "utf8");

interface Block {
  readonly language: string;
  readonly file: string;
  readonly text: string;
}

/** The section's blocks of code by their language, with the file that each names. */
function blocksOf(title: string): Block[] {
  const from = page.indexOf(`## ${title}\n`);
  expect(from, title).toBeGreaterThan(0);
  const section = page.slice(from).split("\n## ")[0]!;
  return [...section.matchAll(/```(\w+)(?: (\S+))?\n(.*?)```/gs)].map(
    ([, language = "", file = "", text = ""]) => ({ language, file, text }),
  );
}

let copy: string;

/** `test/runtimes/` has a whole Node. */
const isSource = (path: string) => !path.endsWith("/node_modules");

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "gp-extending-"));
  const parts = [
    "src",
    "dashboard",
    "test",
    "docs",
    "scripts",
    "package.json",
    "config.schema.json",
  ];
  for (const part of [...parts, "tsconfig.json", "tsconfig.build.json", "vitest.config.ts"]) {
    cpSync(join(root, part), join(copy, part), { recursive: true, filter: isSource });
  }
  // Only what the page changes is of interest.
  const config = { extends: "./tsconfig.json", include: ["src"] };
  writeFileSync(
    join(copy, "tsconfig.json"),
    readFileSync(join(root, "tsconfig.json"), "utf8").replace(
      /"include": \[.*\]/,
      `"include": ${JSON.stringify(config.include)}`,
    ),
  );
  for (const modules of ["node_modules", "test/runtimes/node_modules"]) {
    symlinkSync(join(root, modules), join(copy, modules));
  }
  for (const { blocks } of sections) change(blocks);
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** Adds the lines that begin with `+`, each behind the line before it in the block. */
function applyDiff(file: string, diff: string): void {
  const lines = readFileSync(file, "utf8").split("\n");
  let at = -1;
  for (const line of diff.trimEnd().split("\n")) {
    const text = line.slice(1);
    if (line.startsWith("+")) {
      at += 1;
      lines.splice(at, 0, text);
    } else {
      at = lines.indexOf(text, at + 1);
      expect(at, `${file} has the line ${text}`).toBeGreaterThanOrEqual(0);
    }
  }
  writeFileSync(file, lines.join("\n"));
}

function run(command: string): string {
  const { VITEST: _, VITEST_POOL_ID: __, VITEST_WORKER_ID: ___, ...env } = process.env;
  try {
    return execFileSync("sh", ["-c", command], {
      cwd: copy,
      encoding: "utf8",
      env: { ...env, NO_COLOR: "1" },
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command}\n${stdout}\n${stderr}`);
  }
}

/** Of both sections, whose files and lines are all there before anything is run. */
const sections = ["Add a policy to the proxy", "Add a dialect"].map((title) => {
  const blocks = blocksOf(title);
  const [commands] = blocks.filter(({ language }) => language === "sh");
  return { title, blocks, commands: commands!.text.trim().split("\n") };
});
/** What each command has printed. Those of both sections (the check of types, the documentation) run once. */
const outputs = new Map<string, string>();

function change(blocks: readonly Block[]): void {
  const files = blocks.filter(({ language, file }) => language !== "diff" && file !== "");
  const diffs = blocks.filter(({ language }) => language === "diff");
  expect([files.filter(({ language }) => language === "ts").length, diffs.length]).toEqual([1, 1]);
  for (const { file, text } of files) writeFileSync(join(copy, file), text, { flag: "wx" });
  for (const { file, text } of diffs) applyDiff(join(copy, file), text);
}

/** The number of tests that the section's last command has passed. */
function passedBy(title: string): number {
  const { commands } = sections.find((section) => section.title === title)!;
  for (const command of commands) {
    if (!outputs.has(command)) outputs.set(command, run(command));
  }
  const output = outputs.get(commands.at(-1)!)!;
  const passed = /Tests\s+(\d+) passed/.exec(output)?.[1];
  expect(passed, output).toBeDefined();
  return Number(passed);
}

function expectGenerated(name: string, files: readonly string[]): void {
  for (const file of files) {
    expect(readFileSync(join(copy, file), "utf8"), file).toContain(name);
  }
}

it("the steps of the page add a policy that passes its contract suite, with its documentation", () => {
  // Seven rules for the defaults, and for an alternative of its option.
  expect(passedBy("Add a policy to the proxy")).toBeGreaterThanOrEqual(14);
  expectGenerated("least_tokens", [
    "docs/policies.md",
    "docs/configuration.md",
    "docs/nginx.md",
    "config.schema.json",
  ]);
});

it("the steps of the page add a dialect that passes its contract suite, with its documentation", () => {
  // Four rules for the definition, and those for the bodies of both engines.
  expect(passedBy("Add a dialect")).toBeGreaterThanOrEqual(10);
  expectGenerated("vllm-tagged", [
    "docs/dialects.md",
    "docs/configuration.md",
    "docs/kv-transfer.md",
    "config.schema.json",
  ]);
  expectGenerated("| `tag_prefix` |", ["docs/dialects/vllm-tagged.md"]);
});
