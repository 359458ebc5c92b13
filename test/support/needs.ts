/** Before all tests: says which programs and runtimes are missing. Their tests are skipped; on CI that is an error. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestProject } from "vitest/node";
import { missingRuntimes } from "./runtimes.ts";

/** Debian packages of `.ci/run`. */
const programs = [
  "nginx",
  "curl",
  "dnsmasq",
  "prometheus",
  "promtool",
  "systemd-analyze",
  "chromium",
  "tmux",
  "man",
] as const;

/** Those that no Debian package has. Where `.ci/run` cannot install them, their tests are skipped on CI, too. */
const optionalPrograms = ["helm"] as const;

/** Whether a program is installed. */
export function hasProgram(
  name: (typeof programs)[number] | (typeof optionalPrograms)[number],
): boolean {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return [...folders, "/usr/sbin"].some((folder) => existsSync(join(folder, name)));
}

export function setup(project: TestProject): void {
  const missing = [
    ...programs.filter((name) => !hasProgram(name)).map((name) => `${name} (apt-get install)`),
    ...missingRuntimes.map(({ name, install }) => `${name} (${install})`),
  ];
  const { slowness = 1 } = project.config.provide;
  process.stderr.write(`Times of tests are multiplied by ${slowness.toFixed(1)}.\n`);
  for (const name of optionalPrograms) {
    if (!hasProgram(name))
      process.stderr.write(`Skipped: tests that need ${name} (docs/deploy.md)\n`);
  }
  if (missing.length === 0) return;
  const text = `Tests that need one of these cannot run: ${missing.join(", ")}`;
  if (process.env["CI"] === "true") throw new Error(text);
  process.stderr.write(`Skipped. ${text}\n`);
}
