/**
 * What a process leaves to the one that takes over from it: its listening sockets, as descriptors, and what it has
 * found out, as a file that has no name any more. (nginx lists its sockets in the variable NGINX in the same way.)
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../config/schema/schema.ts";
import type { ListeningSocket } from "../../proxy/client/listeners.ts";
import { type OperatorSockets, unusedSockets } from "../admin/listeners.ts";
import type { DiscoveryState } from "../discovery/discovery.ts";
import { registrationKey } from "../discovery/sources/registry.ts";
import type { SourceState } from "../discovery/sources/source.ts";
import { ServeError } from "../serve-error.ts";
import type { ChosenPorts } from "../workers/ready-config.ts";

/** How a program is started. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

export interface Inheritance extends OperatorSockets {
  /** The process that it is from. */
  readonly pid: number;
  readonly clients: readonly ListeningSocket[];
  readonly freePorts: ChosenPorts;
  readonly discovery: DiscoveryState;
}

/** Says that there is an inheritance, and in which form. */
const variable = "GLOBAL_PROXY_INHERITED";
const version = "2";

/** The new process has these descriptors open, and the sockets from the third on. */
const stateDescriptor = 3;
const readyDescriptor = 4;
const firstSocketDescriptor = 5;

/** Starts the process that inherits. What it writes to the stream says that it serves. */
export function startHeir({ file, args }: Command, left: Inheritance): ChildProcess {
  const descriptors: number[] = [];
  const passed = <S extends { readonly descriptor: number }>(socket: S): S => {
    descriptors.push(socket.descriptor);
    return { ...socket, descriptor: firstSocketDescriptor + descriptors.length - 1 };
  };
  const passedIfOpen = (source: SourceState) =>
    source.descriptor === undefined
      ? source
      : { ...source, ...passed({ descriptor: source.descriptor }) };
  const state: Inheritance = {
    ...left,
    clients: left.clients.map(passed),
    ...(left.admin && { admin: passed(left.admin) }),
    ...(left.metrics && { metrics: passed(left.metrics) }),
    discovery: { ...left.discovery, sources: left.discovery.sources.map(passedIfOpen) },
  };
  const stateFile = withoutName(JSON.stringify(state));
  try {
    const stdio: SpawnOptions["stdio"] = [0, 1, 2, stateFile, "pipe", ...descriptors];
    return spawn(file, args, { stdio, env: { ...process.env, [variable]: version } });
  } finally {
    closeSync(stateFile);
  }
}

/** The stream in which the new process says that it serves. */
export function readyStream({ stdio }: ChildProcess) {
  return stdio[readyDescriptor]!;
}

/**
 * In the new process: what the one before has left; undefined = there is none. Throws `ServeError` if it cannot be
 * used.
 */
export function takeInheritance(): Inheritance | undefined {
  const form = process.env[variable];
  // A process that this one starts for another purpose inherits nothing.
  delete process.env[variable];
  if (form === undefined) return undefined;
  const cause = "cannot take over from the process before";
  if (form !== version) {
    throw new ServeError(`${cause}: it is of another version (${form})`, "GP_INHERITANCE");
  }
  try {
    const state = JSON.parse(readFileSync(stateDescriptor, "utf8")) as Inheritance;
    closeSync(stateDescriptor);
    return state;
  } catch (error) {
    throw new ServeError(`${cause}: ${(error as Error).message}`, "GP_INHERITANCE");
  }
}

/** In the new process: it serves. */
export function sayReady(): void {
  try {
    writeSync(readyDescriptor, "ready\n");
    closeSync(readyDescriptor);
  } catch {
    // The process before has ended meanwhile.
  }
}

/** In the new process: closes the sockets of addresses that its configuration does not have. */
export function closeUnused(
  { clients, admin, metrics, discovery }: Inheritance,
  config: Config,
  keys: ReadonlySet<string>,
): void {
  const registrations = new Set(config.registrations.map(({ zmq }) => registrationKey(zmq)));
  const listening = discovery.sources.flatMap(({ key, descriptor }) =>
    descriptor === undefined ? [] : [{ key, descriptor }],
  );
  const unused = [
    ...clients.filter(({ key }) => !keys.has(key)),
    ...unusedSockets({ ...(admin && { admin }), ...(metrics && { metrics }) }, config),
    ...listening.filter(({ key }) => !registrations.has(key)),
  ];
  for (const { descriptor } of unused) closeSync(descriptor);
}

/** A file of this text for reading, which nobody else can open. */
function withoutName(text: string): number {
  const folder = mkdtempSync(join(tmpdir(), "global-proxy-"));
  try {
    const file = join(folder, "inheritance");
    writeFileSync(file, text, { mode: 0o600 });
    return openSync(file, "r");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
