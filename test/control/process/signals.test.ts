/** A real process with fake workers: signals, pid files, reloads and dying workers, on each runtime. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type RunningCommand, startScript } from "../../support/command.ts";
import {
  bunAndOneNode,
  type RuntimeName,
  sharesPorts,
  sharingRuntimes,
} from "../../support/runtimes.ts";
import { patienceMs, scaled } from "../../support/times.ts";

const script = fileURLToPath(new URL("fake/cli.mjs", import.meta.url));

interface ClientResponse {
  readonly worker: number;
  readonly workers: number;
  readonly generation: number;
  readonly reopened: number;
  readonly pools: readonly string[];
}

let folder: string;
let file: string;
let pidFile: string;
const running: RunningCommand[] = [];
const servers: Server[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gp-control-"));
  file = join(folder, "proxy.yaml");
  pidFile = join(folder, "proxy.pid");
});
afterEach(async () => {
  for (const command of running.splice(0)) await command.kill();
  for (const server of servers.splice(0)) server.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Content {
  readonly pool?: string;
  readonly listen?: string;
  readonly more?: string;
}

/** Writes a configuration that is told from others by its pool's name. */
function write({
  pool = "first",
  listen = "{ host: 127.0.0.1, port: 0 }",
  more = "",
}: Content = {}) {
  writeFileSync(
    file,
    `pidFile: proxy.pid
errorLog: { level: notice }
${more}
pools: { ${pool}: { engines: [{ url: 127.0.0.1:9 }] } }
servers: [{ listen: [${listen}], routes: [{ match: { path: / }, target: { pool: ${pool} } }] }]
`,
  );
}

function start(
  runtime: RuntimeName,
  args: readonly string[] = ["-c", file],
  more: NodeJS.ProcessEnv = {},
): RunningCommand {
  const env = { ...process.env, NO_COLOR: "1", ...more };
  const command = startScript(runtime, script, args, { cwd: folder, env });
  running.push(command);
  return command;
}

/** Starts, and waits until it listens. */
async function serve(runtime: RuntimeName, env: NodeJS.ProcessEnv = {}) {
  const command = start(runtime, ["-c", file], env);
  const [, url] = await command.saysError(/listening on (http:\S+)/);
  return { command, url: url! };
}

async function ask(url: string): Promise<ClientResponse> {
  return (await (await fetch(url)).json()) as ClientResponse;
}

/** Runs `-s NAME` against the configuration, to its end. */
async function signal(runtime: RuntimeName, name: string) {
  const command = start(runtime, ["-s", name, "-c", file]);
  return { code: await command.exited, stderr: command.stderr };
}

const until = (check: () => Promise<void> | void) =>
  vi.waitFor(check, { timeout: patienceMs, interval: 20 });

async function occupiedPort(): Promise<number> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe.each(bunAndOneNode("process signals"))("on %s", (runtime) => {
  test("serves, names itself, and each -s does what it says", async () => {
    write();
    const { command, url } = await serve(runtime);
    expect(command.stderr).toMatch(
      runtime === "bun"
        ? /\[notice\] \S+ on Bun \S+, 1 worker, /
        : /\[notice\] \S+ on Node \S+, 1 worker, /,
    );
    expect(readFileSync(pidFile, "utf8")).toBe(`${command.pid}\n`);
    expect(await ask(url)).toMatchObject({ pools: ["first"], workers: 1, reopened: 0 });

    write({ pool: "second" });
    expect(await signal(runtime, "reload")).toEqual({ code: 0, stderr: "" });
    await until(async () => expect((await ask(url)).pools).toEqual(["second"]));

    expect((await signal(runtime, "reopen")).code).toBe(0);
    await until(async () => expect((await ask(url)).reopened).toBe(1));

    const held = await fetch(`${url}/hold`);
    expect((await signal(runtime, "quit")).code).toBe(0);
    expect(await held.text()).toBe("held finished");
    expect(await command.exited).toBe(0);
    expect(existsSync(pidFile)).toBe(false);
  });

  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s closes connections and ends with 0",
    async (name) => {
      write();
      const { command, url } = await serve(runtime);
      const held = await fetch(`${url}/hold`);
      command.signal(name);
      expect(await command.exited).toBe(0);
      await expect(held.text()).rejects.toThrow();
      expect(existsSync(pidFile)).toBe(false);
    },
  );

  test("quit does not wait longer than drainTimeoutMs", async () => {
    write({ more: "drainTimeoutMs: 100" });
    const { command, url } = await serve(runtime);
    // A worker that computes for ever does not drain.
    await fetch(`${url}/spin`);
    command.signal("SIGQUIT");
    expect(await command.exited).toBe(0);
  });

  test("a second SIGINT ends it at once though a worker hangs", async () => {
    write();
    const { command, url } = await serve(runtime);
    await fetch(`${url}/spin`);
    command.signal("SIGINT");
    await command.saysError(/exiting/);
    command.signal("SIGINT");
    expect(await command.exited).toBe(130);
    expect(existsSync(pidFile)).toBe(false);
  });

  test("a reload with errors keeps the old configuration, and says where the error is", async () => {
    write();
    const { command, url } = await serve(runtime);
    writeFileSync(file, readFileSync(file, "utf8").replace("target", "taget"));
    command.signal("SIGHUP");
    await command.saysError(/\[emerg\] \d+#0: unknown key "taget" .*proxy\.yaml:5:\d+ \(did you/);
    await command.saysError(/\[error\] .*the old one stays in force/);
    expect((await ask(url)).pools).toEqual(["first"]);
    write({ pool: "mended" });
    command.signal("SIGHUP");
    await until(async () => expect((await ask(url)).pools).toEqual(["mended"]));
  });

  test("a reload that is asked for during the start is done after it", async () => {
    write();
    const command = start(runtime);
    await until(() => expect(existsSync(pidFile)).toBe(true));
    write({ pool: "second" });
    command.signal("SIGHUP");
    const [, url] = await command.saysError(/listening on (http:\S+)/);
    await until(async () => expect((await ask(url!)).pools).toEqual(["second"]));
  });

  test("a reload to an address in use keeps the old configuration", async () => {
    write();
    const { command, url } = await serve(runtime);
    const port = await occupiedPort();
    write({ pool: "second", listen: `{ host: 127.0.0.1, port: ${port} }` });
    command.signal("SIGHUP");
    await command.saysError(
      new RegExp(
        `\\[emerg\\] .*bind\\(\\) to 127.0.0.1:${port} failed \\(98: Address already in use`,
      ),
    );
    await command.saysError(/the old configuration stays in force/);
    expect((await ask(url)).pools).toEqual(["first"]);
  });

  test("an address in use at the start ends it with 1 and nginx's words", async () => {
    const port = await occupiedPort();
    write({ listen: `{ host: 127.0.0.1, port: ${port} }` });
    const command = start(runtime);
    expect(await command.exited).toBe(1);
    // Where the machine allows few files, there is a notice before.
    const stderr = command.stderr.replace(/^.*connectionsMax is.*\n/, "");
    expect(stderr).toBe(
      `global-proxy: [emerg] bind() to 127.0.0.1:${port} failed (98: Address already in use)\n`,
    );
    expect(existsSync(pidFile)).toBe(false);
  });

  test("a second instance is refused, a pid that a dead one left is overwritten", async () => {
    write();
    writeFileSync(pidFile, "999999999\n");
    const { command } = await serve(runtime);
    expect(readFileSync(pidFile, "utf8")).toBe(`${command.pid}\n`);
    const second = start(runtime);
    expect(await second.exited).toBe(1);
    expect(second.stderr).toContain(
      `[emerg] already running: process ${command.pid}, as "${pidFile}"`,
    );
    expect(readFileSync(pidFile, "utf8")).toBe(`${command.pid}\n`);
  });

  test("-s without a running instance says what nginx says, and signals no stranger", async () => {
    write();
    expect(await signal(runtime, "stop")).toEqual({
      code: 1,
      stderr: `global-proxy: [error] open() "${pidFile}" failed (2: No such file or directory)\n`,
    });
    writeFileSync(pidFile, "nonsense");
    expect((await signal(runtime, "stop")).stderr).toBe(
      `global-proxy: [error] invalid PID number "nonsense" in "${pidFile}"\n`,
    );
    writeFileSync(pidFile, "999999999");
    expect((await signal(runtime, "stop")).stderr).toBe(
      "global-proxy: [alert] kill(999999999, SIGTERM) failed (3: No such process)\n",
    );
    const stranger = spawn("sleep", ["30"]);
    const { utimesSync } = await import("node:fs");
    writeFileSync(pidFile, String(stranger.pid));
    utimesSync(pidFile, new Date(0), new Date(0));
    const { code, stderr } = await signal(runtime, "stop");
    expect(code).toBe(1);
    expect(stderr).toContain("it is another program");
    expect(stranger.exitCode).toBeNull();
    stranger.kill();
  });

  test("a unix socket that a killed instance left is served again, a file is not taken away", async () => {
    const path = join(folder, "proxy.sock");
    write({ listen: `{ unixPath: ${path} }` });
    const killed = start(runtime);
    await killed.saysError(/listening on unix:/);
    await killed.kill();
    expect(existsSync(path)).toBe(true);
    const next = start(runtime);
    await next.saysError(/listening on unix:/);
    next.signal("SIGTERM");
    expect(await next.exited).toBe(0);
    writeFileSync(path, "precious");
    const refused = start(runtime);
    expect(await refused.exited).toBe(1);
    expect(readFileSync(path, "utf8")).toBe("precious");
  });

  test.each(["throw", "exit"])("a worker that ends by %s is reported and replaced", async (how) => {
    write({ pool: "kept" });
    const { command, url } = await serve(runtime);
    await fetch(`${url}/${how}`).catch(() => {});
    await command.saysError(
      how === "throw" ? /\[alert\] .*worker 0 died.*thrown on request/ : /worker 0 died.*code 7/,
    );
    await command.saysError(/worker 0 is running again/);
    expect((await ask(url)).pools).toEqual(["kept"]);
  });

  test("a worker that hangs is reported and replaced, also while it drains", async () => {
    write({ pool: "kept" });
    const { command, url } = await serve(runtime, { GP_TEST_HANG_MS: `${scaled(600)}` });
    await fetch(`${url}/spin`);
    await command.saysError(/\[alert\] .*worker 0 died, restarting it in 100 ms: it hung: no sign/);
    await command.saysError(/worker 0 is running again/);
    expect((await ask(url)).pools).toEqual(["kept"]);
    await fetch(`${url}/spin`);
    command.signal("SIGQUIT");
    expect(await command.exited).toBe(0);
  });

  test("SIGUSR2 and a burst of signals do no harm", async () => {
    write();
    const { command, url } = await serve(runtime);
    command.signal("SIGUSR2");
    // The fake workers do not say which sockets they have.
    await command.saysError(
      /\[error\] .*no upgrade: workers have not said which sockets they have/,
    );
    for (let i = 0; i < 5; i += 1) command.signal("SIGHUP");
    command.signal("SIGUSR1");
    write({ pool: "last" });
    command.signal("SIGHUP");
    await until(async () => expect((await ask(url)).pools).toEqual(["last"]));
    command.signal("SIGQUIT");
    command.signal("SIGTERM");
    expect(await command.exited).toBe(0);
  });
});

test.skipIf(sharesPorts("node"))(
  "several workers on an old Node are an error at the start that names what is needed",
  async () => {
    write({ more: "workers: 2" });
    const command = start("node");
    expect(await command.exited).toBe(1);
    expect(command.stderr).toMatch(
      /\[emerg\] 2 workers need Bun, or Node 22\.12 or later, on Linux; this is Node \S+ in .*proxy\.yaml:3:10/,
    );
  },
);

describe.each(sharingRuntimes)("several workers on %s", (runtime) => {
  test("all serve one port; one that dies leaves the others serving and comes back", async () => {
    write({ more: "workers: 3" });
    const { command, url } = await serve(runtime);
    const seen = new Set<number>();
    await until(async () => {
      seen.add((await ask(url)).worker);
      expect(seen.size).toBe(3);
    });
    await fetch(`${url}/throw`).catch(() => {});
    const [, dead] = await command.saysError(/worker (\d) died/);
    await until(async () => expect((await ask(url)).worker).not.toBe(Number(dead)));
    await command.saysError(/is running again/);
    write({ pool: "second", more: "workers: 3" });
    command.signal("SIGHUP");
    const fresh = new Set<number>();
    await until(async () => {
      const { worker, pools } = await ask(url);
      expect(pools).toEqual(["second"]);
      fresh.add(worker);
      expect(fresh.size).toBe(3);
    });
  });

  test("a port that another program shares is refused all the same", async () => {
    write({ more: "workers: 2" });
    const { url } = await serve(runtime);
    const other = join(folder, "other.yaml");
    const { port } = new URL(url);
    const listen = `{ host: 127.0.0.1, port: ${port} }`;
    write({ more: "workers: 2", listen });
    writeFileSync(other, readFileSync(file, "utf8").replace("proxy.pid", "other.pid"));
    const command = start(runtime, ["-c", other]);
    expect(await command.exited).toBe(1);
    expect(command.stderr).toContain(
      `bind() to 127.0.0.1:${port} failed (98: Address already in use)`,
    );
  });

  test("a reload does not change their number, and says so", async () => {
    write({ more: "workers: 2" });
    const { command, url } = await serve(runtime);
    write({ more: "workers: 3", pool: "second" });
    command.signal("SIGHUP");
    await command.saysError(/\[warn\] .*the number of workers stays 2: a reload cannot change it/);
    expect(await ask(url)).toMatchObject({ workers: 2, pools: ["second"] });
  });
});
