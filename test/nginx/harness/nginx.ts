/** Debian's nginx: whether it is there, and where it is found. */
import { delimiter } from "node:path";
import { describe, expect, it } from "vitest";
import { hasProgram } from "../../support/needs.ts";

export const isNginxInstalled: boolean = hasProgram("nginx");

export const nginxEnvironment: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${process.env["PATH"] ?? ""}${delimiter}/usr/sbin`,
};

/** Like `describe`, for what needs nginx: skipped with the reason where there is none, and a failure on CI. */
export function describeWithNginx(name: string, tests: () => void): void {
  if (isNginxInstalled) describe(name, tests);
  else if (process.env["CI"] === "true") {
    it(`${name}: nginx is not installed`, () => expect.unreachable("apt-get install nginx"));
  } else describe.skip(`${name} (nginx is not installed)`, tests);
}
