/** The installed command as a user types it: what it prints where, and with which exit code. */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launcher, RunningCommand, runCommand } from "../support/command.ts";
import { bunAndOneNode, environmentFor, type RuntimeName, runtimes } from "../support/runtimes.ts";

let folder: string;
let conf: string;
let yaml: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "gp-cli-"));
  conf = join(folder, "nginx.conf");
  yaml = join(folder, "proxy.yaml");
  writeFileSync(conf, readFileSync("examples/seed/nginx.conf"));
  writeFileSync(yaml, runCommand(["convert", conf]).stdout);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const good = "servers: [{ listen: [{ port: 1 }], routes: [] }]\n";

describe.each(bunAndOneNode("command"))("on %s", (runtime: RuntimeName) => {
  const run = (...args: string[]) => runCommand(args, { runtime, cwd: folder });

  test("-t says what nginx says, on standard error", () => {
    const path = file("good.yaml", good);
    expect(run("-t", "-c", path)).toEqual({
      code: 0,
      stdout: "",
      stderr:
        `global-proxy: the configuration file ${path} syntax is ok\n` +
        `global-proxy: configuration file ${path} test is successful\n`,
    });
    expect(run("-tqc", "good.yaml")).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("-t tells each error with its place, and fails", () => {
    const path = file("bad.yaml", "workrs: 2\nservers: []\n");
    expect(run("-t", "-q", "-c", path)).toEqual({
      code: 1,
      stdout: "",
      stderr:
        `global-proxy: [emerg] unknown key "workrs" in ${path}:1:1 (did you mean "workers"?)\n` +
        `global-proxy: [emerg] servers must be a list of 1 to 1000 items, not an empty list in ${path}:2:10\n` +
        `global-proxy: configuration file ${path} test failed\n`,
    });
    const wrong = file("bad.conf", "events {}\nhttp {\n  serverr { listen 80; }\n}\n");
    const { code, stderr } = run("-t", "-c", wrong);
    expect(code).toBe(1);
    expect(stderr).toMatch(/\[emerg\] unknown directive "serverr" in .*bad\.conf:3:3 .*"server"/);
  });

  test("a configuration with errors is refused in the same words when it is to be served", () => {
    const path = file("bad.yaml", "workrs: 2\nservers: []\n");
    const { code, stderr } = run("-c", path);
    expect(code).toBe(1);
    expect(stderr).toContain(`[emerg] unknown key "workrs" in ${path}:1:1`);
  });

  test("a missing file is named as nginx names it", () => {
    for (const name of ["none.yaml", "none.conf"]) {
      const { code, stderr } = run("-t", "-c", name);
      expect(code).toBe(1);
      expect(stderr).toContain(
        `[emerg] open() "${folder}/${name}" failed (2: No such file or directory)`,
      );
    }
  });

  test("-v and -V name the version, and the runtime", () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    const short = `global-proxy version: global-proxy/${version}\n`;
    expect(run("-v")).toEqual({ code: 0, stdout: "", stderr: short });
    const { stderr } = run("-V");
    expect(stderr).toContain(short);
    expect(stderr).toMatch(runtime === "bun" ? /^runtime: Bun \d/m : /^runtime: Node \d/m);
  });

  test("-g adds to nginx.conf, and is an error where it means nothing", () => {
    expect(run("-tc", conf, "-g", "worker_connections 1;").stderr).toContain("in command line");
    expect(run("-tqc", conf, "-g", "pid /tmp/x.pid;").code).toBe(0);
    expect(run("-tc", yaml, "-g", "pid /tmp/x.pid;").stderr).toContain("-g adds nginx directives");
  });
});

test("-T dumps the same for nginx.conf and for what convert makes of it, and it loads", () => {
  const dump = (path: string) => runCommand(["-T", "-c", path]).stdout.replace(/^#.*\n/, "");
  const resolved = dump(conf);
  expect(resolved).toContain("prefill_servers");
  expect(dump(yaml)).toBe(resolved);
  expect(dump(file("dump.yaml", resolved))).toBe(resolved);
});

test("secrets are hidden in -T, in what convert prints and in errors, but for convert --secrets", () => {
  const path = file(
    "secret.conf",
    `events {} http { upstream e { server 127.0.0.1:1; } server { listen 127.0.0.1:2; location / {
      proxy_pass http://e; proxy_set_header Authorization "Bearer hunter2"; } } }`,
  );
  const dumped = runCommand(["-T", "-c", path]);
  expect(dumped.stdout).toContain("Authorization: Bearer ***");
  const converted = runCommand(["convert", path]);
  expect(converted.stdout).toContain("Authorization: Bearer ***");
  expect(converted.stderr).toContain("1 secret is hidden as ***: --secrets prints them");
  expect(dumped.stdout + dumped.stderr + converted.stdout + converted.stderr).not.toContain(
    "hunter2",
  );
  const whole = runCommand(["convert", "--secrets", path]);
  expect(whole).toMatchObject({ code: 0, stderr: "" });
  expect(whole.stdout).toContain("Authorization: Bearer hunter2");
  const wrong = runCommand(["--engine", "http://me:hunter2@127.0.0.1:1"]);
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain("***@127.0.0.1:1");
  expect(wrong.stderr).not.toContain("hunter2");
});

test("-t fails when the admin token cannot be read", () => {
  const path = file("token.yaml", `admin: { port: 9901, token: { file: none/token } }\n${good}`);
  const { code, stderr } = runCommand(["-t", "-c", path], { cwd: folder });
  expect(code).toBe(1);
  expect(stderr).toContain(`[emerg] open() "${folder}/none/token" failed (2: No such file`);
});

test("-t fails when a log cannot be opened", () => {
  const path = file("log.yaml", `errorLog: { file: missing/error.log }\n${good}`);
  const { code, stderr } = runCommand(["-t", "-c", path], { cwd: folder });
  expect(code).toBe(1);
  expect(stderr).toContain(`[emerg] open() "${folder}/missing/error.log" failed (2: No such file`);
});

test("-p is where relative paths start", () => {
  const prefix = join(folder, "prefix");
  mkdirSync(join(prefix, "conf"), { recursive: true });
  writeFileSync(join(prefix, "conf/nginx.conf"), readFileSync(conf));
  const { code, stderr } = runCommand(["-t", "-p", prefix]);
  expect(stderr).toContain(`configuration file ${prefix}/conf/nginx.conf test is successful`);
  expect(code).toBe(0);
});

test("without a word it shows the help, and fails", () => {
  const { code, stdout, stderr } = runCommand([], { cwd: folder });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain("Usage: global-proxy [-?hvVtTq]");
  expect(runCommand(["-h"]).code).toBe(0);
  expect(runCommand(["--help"]).stdout).toContain("--prefill <url...>");
});

test.each([
  [["-x"], 'invalid option: "x"'],
  [["serve"], 'invalid option: "serve"'],
  [["convrt"], 'invalid option: "convrt" (did you mean "convert"?)'],
  [["--prefil", "a:1"], "unknown option '--prefil' (Did you mean --prefill?)"],
  [["--prefill", "a:1", "--decode"], "option '--decode <url...>' argument missing"],
  [["--prefill", "a:1"], "--decode is missing"],
  [["--decode", "a:1", "--dialect", "omni"], "--prefill is missing"],
  [["--prefill", "a:1", "--decode", "b:2", "-c", "x"], "--prefill cannot be combined with -c"],
  [["--prefill", "a:1", "--decode", "b:2", "-p", "x"], "-p has no effect with --prefill"],
  [["--prefill", "a:1", "--decode", "b:2", "-g", "x"], "-g has no effect with --prefill"],
  [["--prefill", "a:1", "--decode", "b:x"], 'invalid URL "b:x" for --decode'],
  [["-s", "stop", "--prefill", "a:1"], "-s needs -c FILE, or --pid FILE"],
  [["convert"], "missing required argument 'file'"],
  [["demo", "--port", "x"], "argument 'x' is invalid"],
])("%j is refused", (args, message) => {
  const { code, stdout, stderr } = runCommand(args, { cwd: folder });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain(message);
});

describe("the launcher", () => {
  const launch = (file: string, env: Record<string, string>, args = ["-V"]) =>
    spawnSync(file, args, {
      cwd: folder,
      encoding: "utf8",
      env: { PATH: process.env["PATH"], ...env },
    });

  test("works through links, from any directory", () => {
    const first = join(folder, "first");
    const second = join(folder, "second");
    symlinkSync(launcher, first);
    symlinkSync("first", second);
    expect(launch(second, {}).stderr).toContain("global-proxy version");
    expect(launch("sh", {}, [launcher, "-v"]).stderr).toContain("global-proxy version");
  });

  test("takes Bun when it is there, and what GLOBAL_PROXY_RUNTIME says", () => {
    const usual = runtimes.includes("bun") ? "runtime: Bun" : "runtime: Node";
    expect(launch(launcher, {}).stderr).toContain(usual);
    expect(launch(launcher, { GLOBAL_PROXY_RUNTIME: "node" }).stderr).toContain("runtime: Node");
    const { status, stderr } = launch(launcher, { GLOBAL_PROXY_RUNTIME: "deno" });
    expect(stderr).toContain('GLOBAL_PROXY_RUNTIME must be node or bun, not "deno"');
    expect(status).toBe(1);
  });

  test("says what is missing: the build, or the runtime that was asked for", () => {
    const clone = join(folder, "clone");
    mkdirSync(join(clone, "bin"), { recursive: true });
    writeFileSync(join(clone, "bin/global-proxy"), readFileSync(launcher), { mode: 0o755 });
    const unbuilt = launch(join(clone, "bin/global-proxy"), {});
    expect(unbuilt.stderr).toContain("run npm ci");
    expect(unbuilt.status).toBe(1);
    mkdirSync(join(clone, "dist/cli"), { recursive: true });
    writeFileSync(join(clone, "dist/cli/main.js"), "process.stdout.write('here');");
    const withoutBun = launch(join(clone, "bin/global-proxy"), { GLOBAL_PROXY_RUNTIME: "bun" });
    expect(withoutBun.stderr).toContain("the package bun is not installed beside global-proxy");
    expect(withoutBun.status).toBe(1);
    expect(launch(join(clone, "bin/global-proxy"), {}).stdout).toBe("here");
  });

  test("does not read files of the working directory as the runtime's own", () => {
    const place = join(folder, "place");
    mkdirSync(place);
    writeFileSync(join(place, ".env"), "GLOBAL_PROXY_RUNTIME=deno\nNODE_ENV=x\n");
    writeFileSync(join(place, "bunfig.toml"), 'preload = ["./preload.js"]\n');
    writeFileSync(join(place, "preload.js"), "process.exit(9);");
    for (const runtime of runtimes)
      expect(runCommand(["-v"], { runtime, cwd: place }).code).toBe(0);
  });

  test.each(runtimes)(
    "becomes the proxy on %s: the process started is the one that serves",
    async (runtime) => {
      const pid = join(folder, `${runtime}.pid`);
      const flags = [
        "--prefill",
        "a:1",
        "--decode",
        "b:2",
        "--listen",
        "127.0.0.1:0",
        "--pid",
        pid,
      ];
      const command = new RunningCommand(launcher, flags, { env: environmentFor(runtime) });
      try {
        await command.saysError(/listening on http:/);
        expect(readFileSync(pid, "utf8")).toBe(`${command.pid}\n`);
        expect(runCommand(["-s", "stop", "--pid", pid], { runtime }).code).toBe(0);
        expect(await command.exited).toBe(0);
      } finally {
        await command.kill();
      }
    },
  );
});

describe.each(runtimes)("demo on %s", (runtime) => {
  test("shows one exchange through a prefill and a decode engine, and ends well", () => {
    const { code, stdout } = runCommand(["demo", "--once"], { runtime });
    expect(stdout).toMatch(
      /prefill: {2}127\.0\.0\.1:\d+\ndecode: {3}127\.0\.0\.1:\d+\nstatus: {3}200\n/,
    );
    expect(stdout).toMatch(/TTFT: .* 24 tokens in \d+ ms\nKV cache: transferred\n$/);
    expect(code).toBe(0);
  });
});
