/**
 * The image cannot be built where no Docker is, but its steps can be taken: the build stage's in a folder that has only what
 * `.dockerignore` lets through, and the result in a root file system that has glibc, the image's files and nothing else,
 * cannot be written, and belongs to another user.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { DockerfileParser } from "dockerfile-ast";
import { validate } from "dockerfile-utils";
import { afterAll, expect, test } from "vitest";
import { RunningCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { ask } from "../support/http-client.ts";
import { freePorts } from "../support/ports.ts";
import { root } from "../support/runtimes.ts";

const text = readFileSync("Dockerfile", "utf8");
const folder = mkdtempSync(join(tmpdir(), "gp-image-"));
const rootfs = join(folder, "image");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const steps = DockerfileParser.parse(text)
  .getInstructions()
  .map((step) => ({ name: step.getInstruction(), words: step.getArgumentsContent() ?? "" }));
const lastFrom = steps.findLastIndex(({ name }) => name === "FROM");
const buildSteps = steps.slice(1, lastFrom);
const imageSteps = steps.slice(lastFrom + 1);
/** What the last stage says. */
const said = (name: string) => imageSteps.find((step) => step.name === name)!.words;

/** Mounts need rights that not each container gives to root. */
const canMount = spawnSync("unshare", ["--mount", "true"]).status === 0;

/** Only the form that our file has: nothing but what is named. */
function inContext(): string[] {
  const lines = readFileSync(".dockerignore", "utf8").split("\n");
  const [all, ...allowed] = lines.filter((line) => line !== "" && !line.startsWith("#"));
  expect(all).toBe("*");
  expect(allowed.every((line) => /^![\w./-]+$/.test(line))).toBe(true);
  return allowed.map((line) => line.slice(1));
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true });
}

/** In the build stage: from the context to the working folder. */
function copyFromContext(words: string, workdir: string): void {
  const names = words.split(" ").slice(0, -1);
  const context = inContext();
  for (const name of names[0] === "." ? context : names) {
    expect(context).toContain(name);
    copy(join(root, name), join(workdir, name));
  }
}

/** @returns the folder that stands for the build stage's root */
function build(): string {
  const stage = join(folder, "build");
  let workdir = stage;
  for (const { name, words } of buildSteps) {
    if (name === "WORKDIR") workdir = join(stage, words);
    mkdirSync(workdir, { recursive: true });
    if (name === "COPY") copyFromContext(words, workdir);
    if (name === "RUN") {
      // What `npm ci` of this repository has fetched is not fetched again.
      const env = { ...process.env, npm_config_prefer_offline: "true" };
      execFileSync("sh", ["-c", words], { cwd: workdir, env, stdio: "pipe" });
    }
    if (!["WORKDIR", "COPY", "RUN"].includes(name)) throw new Error(`no step for ${name}`);
  }
  return stage;
}

/** Copies from the build stage, and what the base image has of the libraries of the program. */
function assemble(stage: string): void {
  for (const { words } of imageSteps.filter(({ name }) => name === "COPY")) {
    const paths = words.replace("--from=build ", "").split(" ");
    const target = paths.pop()!;
    for (const path of paths) {
      const name = target.endsWith("/") ? basename(path) : "";
      copy(join(stage, path), join(rootfs, target, name));
    }
  }
  const [program] = JSON.parse(said("ENTRYPOINT")) as [string];
  const libraries = execFileSync("ldd", [join(rootfs, program)], { encoding: "utf8" });
  for (const [, file] of libraries.matchAll(/(\/\S+) \(0x/g)) copyLibrary(file!);
  for (const name of ["proc", "dev", "tmp"]) mkdirSync(join(rootfs, name));
}

function copyLibrary(file: string): void {
  mkdirSync(dirname(join(rootfs, file)), { recursive: true });
  cpSync(resolve(file), join(rootfs, file), { dereference: true });
}

/** As a container does it: its own root, read-only but for `/tmp`, and the user of the image. */
const container = `set -e
mount --bind "$1" "$1"
mount --bind /proc "$1/proc"
mount --bind /dev "$1/dev"
mount -o remount,ro,bind "$1"
mount -t tmpfs tmpfs "$1/tmp"
root=$1; user=$2; shift 2
exec chroot --userspec="$user" "$root" "$@"`;

const within = (words: readonly string[]) => [
  "--mount",
  "sh",
  "-c",
  container,
  "sh",
  rootfs,
  said("USER"),
  ...words,
];

test("a linter finds nothing", () => {
  expect(validate(text)).toEqual([]);
});

test("the image has a user without rights, a health check without a shell, and a signal that ends requests first", () => {
  expect(said("USER")).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  expect(said("HEALTHCHECK")).toMatch(/CMD \[.*"probe", "live".*\]$/);
  expect(said("STOPSIGNAL")).toBe("SIGQUIT");
});

test.skipIf(!canMount)("its steps give an image that serves, is healthy and ends", async () => {
  assemble(build());
  const [port, adminPort] = (await freePorts(2)) as [number, number];
  const entry = JSON.parse(said("ENTRYPOINT")) as string[];
  const words = [...entry, ...(JSON.parse(said("CMD")) as string[])];
  const example = spawnSync("unshare", within([...words, "-t"]), { encoding: "utf8" });
  expect([example.status, example.stderr]).toEqual([0, expect.stringContaining("successful")]);

  // As a volume of the operator's.
  writeFileSync(
    join(rootfs, "etc/global-proxy/global-proxy.yaml"),
    `workers: 2
admin: { port: ${adminPort} }
pools: { engines: { engines: [{ url: "http://127.0.0.1:9" }] } }
servers:
  - listen: [{ port: ${port} }]
    routes: [{ match: { path: / }, dialect: plain, target: { pool: engines } }]
`,
  );
  const command = new RunningCommand("unshare", within(words));
  try {
    await command.saysError(/2 workers, listening on/);
    const [, health = ""] = /CMD (\[.*\])$/.exec(said("HEALTHCHECK")) ?? [];
    const probe = (JSON.parse(health) as string[]).map((it) =>
      it === "9901" ? `${adminPort}` : it,
    );
    const { status, stdout } = spawnSync("unshare", within(probe), { encoding: "utf8" });
    expect([status, stdout]).toEqual([0, expect.stringContaining('"alive":2')]);
    expect((await ask(`http://127.0.0.1:${port}/v1/models`)).status).toBeGreaterThanOrEqual(500);
    command.signal(said("STOPSIGNAL") as NodeJS.Signals);
    await eventually(() => command.child.exitCode !== null);
    expect(command.child.exitCode).toBe(0);
  } finally {
    await command.kill();
  }
});
