/**
 * The one-file executable must work where nothing else is: no runtime, no `node_modules`, no file of this repository.
 * Workers are started from the same file, and so is what takes over in an upgrade. Needs `npm run build` and the
 * package `bun`.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunningCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { freePorts } from "../support/ports.ts";
import { root, runtimes } from "../support/runtimes.ts";
import { patienceMs } from "../support/times.ts";

/** No `node`, no `bun`, no shell. */
const env = { PATH: "/nowhere", NO_COLOR: "1" };
const instant = ["--prefill-tokens-per-second", "0", "--itl-ms", "0", "--batch-penalty-ms", "0"];

describe.skipIf(!runtimes.includes("bun"))("the executable in an empty folder", () => {
  const built = mkdtempSync(join(tmpdir(), "gp-executable-built-"));
  const folder = mkdtempSync(join(tmpdir(), "gp-executable-"));
  const program = join(folder, "global-proxy");
  const running = new Set<RunningCommand>();
  let upgraded: number | undefined;

  beforeAll(() => {
    execFileSync(process.execPath, [`${root}scripts/executable.mjs`, built], { cwd: root });
    copyFileSync(join(built, "global-proxy"), program);
    rmSync(join(built, "global-proxy"));
  });
  afterAll(async () => {
    if (upgraded !== undefined && existsSync(`/proc/${upgraded}`))
      process.kill(upgraded, "SIGKILL");
    await Promise.all([...running].map((command) => command.kill()));
    rmSync(folder, { recursive: true, force: true });
    rmSync(built, { recursive: true, force: true });
  });

  function run(...words: readonly string[]) {
    const options = { cwd: folder, encoding: "utf8", env, timeout: patienceMs } as const;
    const { status, stdout, stderr } = spawnSync(program, words, options);
    return { code: status, stdout, stderr };
  }

  function start(...words: readonly string[]): RunningCommand {
    const command = new RunningCommand(program, words, { cwd: folder, env });
    running.add(command);
    return command;
  }

  function write(name: string, text: string): string {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  }

  async function startEngine(role: "prefill" | "decode"): Promise<{ url: string }> {
    const [port] = (await freePorts(1)) as [number];
    const command = start("engine", "--role", role, "--port", `${port}`, ...instant);
    await eventually(() => command.stdout.includes("http://"));
    return { url: `http://127.0.0.1:${port}` };
  }

  test("the licences of what is in it lie beside it", () => {
    expect(readFileSync(join(built, "LICENCES"), "utf8")).toMatch(/MIT License/i);
  });

  test("its version is that of the package, and it is below the size that docs/deploy.md names", () => {
    const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
      version: string;
    };
    expect(run("-v").stderr).toContain(`global-proxy/${version}`);
    const page = readFileSync(`${root}docs/deploy.md`, "utf8");
    const [, megabytes] = /\| size \| at most (\d+) MB \|/.exec(page) ?? [];
    expect(statSync(program).size).toBeLessThanOrEqual(Number(megabytes) * 1e6);
  });

  test("the demo works", () => {
    const { code, stdout, stderr } = run("demo", "--once");
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    expect(stdout).toContain("KV cache: transferred");
  });

  test("-t accepts a configuration, with a policy of one's own that imports the proxy's API", () => {
    const example = `${root}examples/custom-policy`;
    mkdirSync(join(folder, "custom"));
    for (const name of ["global-proxy.yaml", "short-first.mjs"]) {
      copyFileSync(join(example, name), join(folder, "custom", name));
    }
    const { code, stderr } = run("-t", "-p", "custom", "-c", "global-proxy.yaml");
    expect(stderr).toMatch(/test is successful\n$/);
    expect(code).toBe(0);
  });

  test("files of the working folder that a runtime would read change nothing", () => {
    write("evil.js", 'require("node:fs").writeFileSync("evil", "");\n');
    write("bunfig.toml", 'preload = ["./evil.js"]\n');
    write(".env", "BUN_OPTIONS=--preload=./evil.js\nGLOBAL_PROXY_INHERITED=0\n");
    write("package.json", '{ "name": "evil", "type": "commonjs", "version": "9.9.9" }\n');
    expect(run("demo", "--once").code).toBe(0);
    expect(existsSync(join(folder, "evil"))).toBe(false);
    expect(run("-v").stderr).not.toContain("9.9.9");
  });

  test("two workers serve, a reload and an upgrade go on with the same file, and it ends", async () => {
    const [prefill, decode] = await Promise.all([startEngine("prefill"), startEngine("decode")]);
    const [port, adminPort] = (await freePorts(2)) as [number, number];
    const pidFile = join(folder, "proxy.pid");
    const module = join(folder, "custom/short-first.mjs");
    const file = write(
      "proxy.yaml",
      pdYaml({
        port,
        top: `pidFile: ${pidFile}\nworkers: 2\nadmin: { port: ${adminPort} }\nerrorLog: { level: notice }`,
        prefill: { engines: [prefill], policy: `custom, module: ${module}` },
        decode: { engines: [decode] },
      }),
    );
    const served = async () => {
      // Enough connections that each worker has had one.
      for (let n = 0; n < 16; n += 1) {
        const response = await post(`http://127.0.0.1:${port}/v1/completions`, { prompt: `${n}` });
        expect(response.status).toBe(200);
      }
      const { body } = await ask(`http://127.0.0.1:${adminPort}/admin/live`);
      expect(JSON.parse(body)).toMatchObject({ workers: { alive: 2 } });
    };
    const command = start("-c", file);
    await command.saysError(/2 workers, listening on/);
    await served();
    expect(run("probe", "ready", "--admin", `${adminPort}`)).toMatchObject({ code: 0 });
    const withoutToken = run("probe", "ready", "--admin", `${adminPort}`, "--token-file", "none");
    expect([withoutToken.code, withoutToken.stderr]).toEqual([
      1,
      expect.stringContaining('"none" failed'),
    ]);
    expect(run("-s", "reload", "-c", file).code).toBe(0);
    await command.saysError(/the new configuration is in force/);
    await served();

    const [code, stderr] = [run("-s", "upgrade", "-c", file)].flatMap((it) => [it.code, it.stderr]);
    expect([code, stderr]).toEqual([0, expect.stringMatching(/serves; /)]);
    upgraded = Number(readFileSync(pidFile, "utf8"));
    expect(upgraded).not.toBe(command.pid);
    expect(readlinkSync(`/proc/${upgraded}/exe`)).toBe(program);
    // What took over has its output open, too: `exited` waits for both.
    await eventually(() => command.child.exitCode !== null);
    expect(command.child.exitCode).toBe(0);
    await served();
    expect(run("-s", "quit", "-c", file).code).toBe(0);
    await eventually(() => !existsSync(`/proc/${upgraded}`));
    expect(run("probe", "live", "--admin", `${adminPort}`)).toMatchObject({ code: 1 });
  });
});
