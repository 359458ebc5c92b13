/** What shells and readers are told of the program: a script that is wrong breaks the prompt of who loads it. */
import { execFileSync, spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { commandNames, loadCommands } from "../../../src/cli/commands.ts";
import { completionScript } from "../../../src/cli/program/completion.ts";
import { manPage } from "../../../src/cli/program/man-page.ts";
import { programOf } from "../../../src/cli/program/program.ts";
import { currentRuntime } from "../../../src/config/check/runtime.ts";
import { hasProgram } from "../../support/needs.ts";

const program = programOf(
  await loadCommands({
    runtime: currentRuntime(),
    options: { workerEntry: new URL("file:///none"), pageFiles: async () => ({}) },
    onCode: () => {},
  }),
);

function completed(...words: string[]): string[] {
  const script = `${completionScript("bash", program)}
COMP_WORDS=(global-proxy "$@"); COMP_CWORD=$#
_global_proxy; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const text = execFileSync("bash", ["-c", script, "bash", ...words], { encoding: "utf8" });
  return text.split("\n").filter(Boolean);
}

test("bash completes commands, their options, and values that are known", () => {
  expect(completed("sta")).toEqual(["status"]);
  expect(completed("")).toEqual(expect.arrayContaining([...commandNames]));
  expect(completed("--dial")).toEqual(["--dialect"]);
  expect(completed("config", "")).toEqual(expect.arrayContaining(["diff", "show"]));
  expect(completed("config", "diff", "--exit")).toEqual(["--exit-code"]);
  expect(completed("requests", "--list", "slow")).toEqual(["slow-to-start", "slow-to-end"]);
  expect(completed("log-level", "deb")).toEqual(["debug"]);
  expect(completed("log-level", "debug", "--json", "--to")).toEqual([
    "--token-file",
    "--token-env",
  ]);
  // Files, which bash adds itself.
  expect(completed("status", "--config", "")).toEqual([]);
});

test("the scripts for other shells name each command", () => {
  expect(completionScript("zsh", program)).toContain("#compdef global-proxy");
  for (const name of commandNames) {
    expect(completionScript("fish", program)).toContain(`-fa ${name} `);
  }
});

const page = manPage(program, "1.2.3");

test("the manual page names each command", () => {
  for (const name of commandNames) {
    expect(page).toContain(`.SS ${name.replaceAll("-", "\\-")}`);
  }
});

test.skipIf(!hasProgram("man"))("man reads the manual page without a warning", () => {
  const read = spawnSync("man", ["--warnings", "-l", "-"], {
    input: page,
    encoding: "utf8",
    env: { ...process.env, MANPAGER: "cat", LC_ALL: "C.UTF-8", MANWIDTH: "100" },
  });
  expect({ status: read.status, stderr: read.stderr }).toEqual({ status: 0, stderr: "" });
  expect(read.stdout).toContain("log-level [level]");
});
