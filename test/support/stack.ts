/** Real processes for a test: simulated engines and proxies as a user starts them, all ended by `end`, whatever happened. */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineState } from "../../src/simulated-engine/core/state.ts";
import type { FaultInput } from "../../src/simulated-engine/faults/fault.ts";
import type { RecordedRequest } from "../../src/simulated-engine/http/request-log.ts";
import type { EngineRole } from "../../src/simulated-engine/roles.ts";
import {
  type Finished,
  launcher,
  oneAndFourWorkers,
  RunningCommand,
  type RuntimeName,
  runCommand,
  runtimes,
  sharesPorts,
} from "./command.ts";
import { eventually } from "./eventually.ts";

export { oneAndFourWorkers, type RuntimeName, runtimes, sharesPorts };

/** Engines start fastest on this one. What runs the proxy is the test's matter. */
const engineRuntime: RuntimeName = runtimes.includes("bun") ? "bun" : "node";

/** All timings zero: as fast as the process can. */
export const instant = [
  "--prefill-tokens-per-second",
  "0",
  "--itl-ms",
  "0",
  "--batch-penalty-ms",
  "0",
] as const;

type Role = EngineRole;

/** One simulated engine as a process of its own. */
export class Engine {
  readonly url: string;
  readonly port: number;
  readonly role: Role;
  readonly #switches: readonly string[];
  readonly #start: (words: readonly string[]) => RunningCommand;
  #command: RunningCommand;

  constructor(
    role: Role,
    port: number,
    switches: readonly string[],
    start: (words: readonly string[]) => RunningCommand,
  ) {
    this.role = role;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#switches = switches;
    this.#start = start;
    this.#command = this.#launch();
  }

  get pid(): number {
    return this.#command.pid;
  }

  #launch(): RunningCommand {
    return this.#start([
      "engine",
      "--role",
      this.role,
      "--port",
      `${this.port}`,
      ...this.#switches,
    ]);
  }

  /** Resolves when it listens. */
  async listening(): Promise<void> {
    const { child } = this.#command;
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`engine ended: ${this.#command.stderr}`);
      return this.#command.stdout.includes("http://");
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#command.signal(name);
  }

  /** As a machine that loses power does it. */
  async kill(): Promise<void> {
    await this.#command.kill();
  }

  /** After `kill`: a new process at the same port. */
  async startAgain(): Promise<void> {
    this.#command = this.#launch();
    await this.listening();
  }

  async state(): Promise<EngineState> {
    return (await (await fetch(`${this.url}/debug/state`)).json()) as EngineState;
  }

  /** The last 64 requests, as they arrived. */
  async requests(): Promise<RecordedRequest[]> {
    return (await (await fetch(`${this.url}/debug/requests`)).json()) as RecordedRequest[];
  }

  async setFault(fault: FaultInput): Promise<void> {
    const body = JSON.stringify(fault);
    const response = await fetch(`${this.url}/debug/fault`, { method: "POST", body });
    if (!response.ok) throw new Error(await response.text());
  }

  async clearFaults(): Promise<void> {
    await fetch(`${this.url}/debug/fault`, { method: "DELETE" });
  }
}

/** A serving proxy. */
export interface ServingProxy {
  readonly url: string;
  readonly port: number;
  readonly command: RunningCommand;
}

export class Stack {
  readonly runtime: RuntimeName;
  /** A folder of its own, gone at the end. */
  readonly folder: string = mkdtempSync(join(tmpdir(), "gp-e2e-"));
  readonly engines: Engine[] = [];
  readonly #commands = new Set<RunningCommand>();

  constructor(runtime: RuntimeName) {
    this.runtime = runtime;
    process.once("exit", this.#killAll);
  }

  /** Starts engines of one role side by side. */
  async startEngines(
    role: Role,
    count: number,
    switches: readonly string[] = instant,
    runtime: RuntimeName = engineRuntime,
  ): Promise<Engine[]> {
    const ports = await freePorts(count);
    return Promise.all(ports.map((port) => this.startEngine(role, port, switches, runtime)));
  }

  /** Starts one at a port. */
  async startEngine(
    role: Role,
    port: number,
    switches: readonly string[],
    runtime: RuntimeName = engineRuntime,
  ): Promise<Engine> {
    const engine = new Engine(role, port, switches, (words) => this.#run(words, runtime));
    this.engines.push(engine);
    await engine.listening();
    return engine;
  }

  /** Starts `bin/global-proxy` with these words; resolves when it serves. */
  async startProxy(...words: readonly string[]): Promise<ServingProxy> {
    const command = this.#run(words, this.runtime);
    const [, port] = await command.saysError(/listening on http:\/\/[^\s,]+:(\d+)/);
    return { url: `http://127.0.0.1:${port}`, port: Number(port), command };
  }

  /** By flags, at a free port. */
  startByFlags(
    prefills: readonly Engine[],
    decodes: readonly Engine[],
    ...more: readonly string[]
  ): Promise<ServingProxy> {
    return this.startProxy(
      "--prefill",
      ...prefills.map(({ url }) => url),
      "--decode",
      ...decodes.map(({ url }) => url),
      "--listen",
      "127.0.0.1:0",
      ...more,
    );
  }

  /** Serves a file of this text, in which the port is named. Resolves when it serves. */
  async serve(textFor: (port: number) => string, extension = "yaml"): Promise<ServingProxy> {
    const [port] = (await freePorts(1)) as [number];
    const file = this.write(`${port}.${extension}`, textFor(port));
    const command = this.start("-c", file);
    await command.saysError(/listening on/);
    return { url: `http://127.0.0.1:${port}`, port, command };
  }

  /** Starts it without waiting for anything. */
  start(...words: readonly string[]): RunningCommand {
    return this.#run(words, this.runtime);
  }

  /** Runs it to its end. */
  run(...words: readonly string[]): Finished {
    return runCommand(words, { runtime: this.runtime, cwd: this.folder });
  }

  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** Resolves when no engine has anything to do and none holds KV; with the states at that time. */
  async settled(engines: readonly Engine[] = this.engines): Promise<EngineState[]> {
    let states: EngineState[] = [];
    await eventually(async () => {
      states = await Promise.all(engines.map((engine) => engine.state()));
      return states.every(({ running, waiting, held }) => running + waiting + held === 0);
    });
    return states;
  }

  /** Ends all processes, by their ids. */
  async end(): Promise<void> {
    await Promise.all([...this.#commands].map((command) => command.kill()));
    this.#commands.clear();
    process.off("exit", this.#killAll);
    if (existsSync(this.folder)) rmSync(this.folder, { recursive: true, force: true });
  }

  readonly #killAll = (): void => {
    for (const { child } of this.#commands) child.kill("SIGKILL");
  };

  /** `env` and the launcher both become what they start, so the id is the program's own. */
  #run(words: readonly string[], runtime: RuntimeName): RunningCommand {
    const env = [`GLOBAL_PROXY_RUNTIME=${runtime}`, launcher, ...words];
    const command = new RunningCommand("env", env, { cwd: this.folder });
    this.#commands.add(command);
    return command;
  }
}

/** The engines' own counts, added up. */
export function totals(states: readonly EngineState[]) {
  const sum = (read: (state: EngineState) => number) =>
    states.reduce((total, state) => total + read(state), 0);
  const sumOf = (counts: Readonly<Record<string, number>>) =>
    Object.values(counts).reduce((total, count) => total + count, 0);
  return {
    seen: sum(({ requestsSeen }) => requestsSeen),
    stored: sum(({ stored }) => stored),
    fetched: sum(({ fetched }) => fetched),
    released: sum(({ released }) => released),
    expired: sum(({ expired }) => expired),
    recomputed: sum(({ recomputed }) => sumOf(recomputed)),
    refused: sum(({ refused }) => sumOf(refused)),
    violations: sum(({ protocolViolations }) => protocolViolations),
  };
}

/** Below the range from which the kernel takes ports for outgoing connections, so that none of those gets in the way. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

/** The first of so many free ports in a row. */
export async function freePortRun(count: number): Promise<number> {
  for (;;) {
    const [first] = (await freePorts(1)) as [number];
    const row = await Promise.all(Array.from({ length: count }, (_, i) => isFree(first + i)));
    if (row.every((free) => free)) return first;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
