/** The programs under comparison: each serves the same file, one after the other, at the same ports. */
import { spawnSync } from "node:child_process";
import { connect } from "node:net";
import { currentRuntime } from "../../../src/config/check/runtime.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { launcher, RunningCommand } from "../../support/command.ts";
import { eventually } from "../../support/eventually.ts";
import { environmentFor, type RuntimeName } from "../../support/runtimes.ts";
import { patienceMs } from "../../support/times.ts";
import { nginxEnvironment } from "./nginx.ts";

export type ProgramName = "nginx" | RuntimeName;

/** Something that the program says against the file. */
export interface Complaint {
  readonly line: number;
  readonly message: string;
}

export interface ConfFile {
  readonly path: string;
  readonly folder: string;
}

/** What `-t` says. nginx stops at its first complaint. */
export async function complaintsOf(
  program: ProgramName,
  file: ConfFile,
): Promise<readonly Complaint[]> {
  return program === "nginx" ? nginxComplaints(file) : ourComplaints(file);
}

function nginxComplaints({ path, folder }: ConfFile): readonly Complaint[] {
  const { status, stderr } = spawnSync("nginx", ["-t", "-p", folder, "-c", path, "-e", "stderr"], {
    encoding: "utf8",
    env: nginxEnvironment,
    timeout: patienceMs,
  });
  if (status === 0) return [];
  const [, message, line] = /\[emerg\] (?:\d+#\d+: )?(.*) in \S+:(\d+)\n/.exec(stderr) ?? [];
  if (line === undefined) throw new Error(`nginx -t: ${stderr}`);
  return [{ line: Number(line), message: message! }];
}

async function ourComplaints({ path, folder }: ConfFile): Promise<readonly Complaint[]> {
  const loaded = await loadConfig({ file: path, prefix: folder }, currentRuntime());
  return "errors" in loaded ? loaded.errors : [];
}

/** Resolves when it serves. */
export async function startProgram(
  program: ProgramName,
  { path, folder }: ConfFile,
  probePort: number,
): Promise<RunningCommand> {
  const words = ["-p", folder, "-c", path, "-e", "stderr"];
  const command =
    program === "nginx"
      ? new RunningCommand("nginx", words, { cwd: folder, env: nginxEnvironment })
      : new RunningCommand(launcher, words.slice(0, 4), {
          cwd: folder,
          env: environmentFor(program),
        });
  if (program !== "nginx") await command.saysError(/listening on/);
  await eventually(() => {
    const { exitCode, signalCode } = command.child;
    if (exitCode !== null || signalCode !== null)
      throw new Error(`${program} ended with ${exitCode ?? signalCode}: ${command.stderr}`);
    return isListening(probePort);
  });
  return command;
}

/** It writes what it has to log, and ends. */
export async function stopProgram(command: RunningCommand): Promise<void> {
  command.signal("SIGTERM");
  const bound = setTimeout(() => command.signal("SIGKILL"), patienceMs);
  await command.exited;
  clearTimeout(bound);
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
