/**
 * The example configurations are what a newcomer copies: each is accepted, and the first means what its comment says.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCommand } from "../support/command.ts";

const folder = "examples";
/** Alerts and manifests are for other programs. */
const isConfiguration = (file: string) =>
  /\.(conf|yaml)$/.test(file) && !/^(prometheus|kubernetes)\//.test(file);
const examples = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter(isConfiguration)
  .sort();

test.each(examples)("global-proxy -t accepts examples/%s", (file) => {
  const { code, stderr } = runCommand(["-t", "-c", join(folder, file)]);
  expect(stderr).toMatch(/test is successful\n$/);
  expect(code).toBe(0);
});

test("examples/README.md lists every example", () => {
  const listed = [...readFileSync(join(folder, "README.md"), "utf8").matchAll(/\]\((\S+)\)/g)];
  const found = listed.map(([, file]) => file!).filter(isConfiguration);
  expect(found.sort()).toEqual(examples);
});

/** The configuration as `-T` prints it, without the line that names its source. */
function dump(words: readonly string[]): string {
  const { code, stdout } = runCommand(["-T", "-q", ...words]);
  expect(code).toBe(0);
  return stdout.replace(/^# configuration .*\n/, "");
}

test("the flags in the comment of pd.yaml mean the same as the file", () => {
  const file = join(folder, "pd.yaml");
  const [, flags = ""] = /bin\/global-proxy (--.*\\\n#.*)\n/.exec(readFileSync(file, "utf8")) ?? [];
  const words = flags.replace(/\\\n#/, "").split(/\s+/);
  expect(words).toContain("--dialect");
  expect(dump(words)).toBe(dump(["-c", file]));
});
