/**
 * The unit is what an operator installs as it is: systemd must understand each line, its bounds must fit those of the
 * configuration beside it, and it may not lose its hardening.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parse } from "yaml";
import { launcher } from "../support/command.ts";
import { hasProgram } from "../support/needs.ts";

const unit = readFileSync("examples/systemd/global-proxy.service", "utf8");
const config = parse(readFileSync("examples/systemd/global-proxy.yaml", "utf8")) as {
  readonly pidFile: string;
  readonly drainTimeoutMs: number;
};
const folder = mkdtempSync(join(tmpdir(), "gp-systemd-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The values of a key, in their order. */
function valuesOf(key: string): string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value]) => value!);
}

/** @returns what it prints, for a copy of the unit whose program exists on this machine */
function analyze(...words: readonly string[]) {
  const file = join(folder, "global-proxy.service");
  writeFileSync(file, unit.replaceAll("/usr/local/bin/global-proxy", launcher));
  const { status, stdout, stderr } = spawnSync("systemd-analyze", [...words, file], {
    encoding: "utf8",
    env: { ...process.env, SYSTEMD_PAGER: "cat" },
  });
  return { status, text: stdout + stderr };
}

test.skipIf(!hasProgram("systemd-analyze"))("systemd-analyze verify finds nothing", () => {
  const { status, text } = analyze("verify", "--man=no", "--recursive-errors=no");
  expect([status, text]).toEqual([0, ""]);
});

test.skipIf(!hasProgram("systemd-analyze"))("its exposure is what docs/deploy.md says", () => {
  const { text } = analyze("security", "--offline=true", "--no-pager");
  const [, exposure] = /exposure level for [^:]+: ([\d.]+)/.exec(text) ?? [];
  const [, documented] =
    /systemd-analyze security[^.]*?: at most (\d\.\d)/.exec(
      readFileSync("docs/deploy.md", "utf8"),
    ) ?? [];
  expect(Number(exposure)).toBeLessThanOrEqual(Number(documented));
});

test("a stop waits for longer than the proxy does, and the signals are those that end requests first", () => {
  expect(Number(valuesOf("TimeoutStopSec")[0]) * 1000).toBeGreaterThan(config.drainTimeoutMs);
  expect(valuesOf("KillSignal")).toEqual(["SIGQUIT"]);
  expect(valuesOf("PIDFile")).toEqual([config.pidFile]);
  const [check, reload] = valuesOf("ExecReload");
  expect(check).toMatch(/ -t .*-c \/etc\/global-proxy\/global-proxy\.yaml$/);
  expect(reload).toBe("/bin/kill -HUP $MAINPID");
});
