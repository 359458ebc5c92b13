/**
 * Real processes for a test: simulated engines and proxies as a user starts them, all ended by `end`, whatever
 * happened.
 */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineState } from "../../src/simulated-engine/core/state.ts";
import type { FaultInput } from "../../src/simulated-engine/faults/fault.ts";
import type { RecordedRequest } from "../../src/simulated-engine/http/request-log.ts";
import type { EngineRole } from "../../src/simulated-engine/roles.ts";
import { type Finished, launcher, RunningCommand, runCommand } from "./command.ts";
import { EngineHost } from "./engine-host.ts";
import { eventually } from "./eventually.ts";
import { freePorts } from "./ports.ts";
import { environmentFor, type RuntimeName, runtimes } from "./runtimes.ts";

/** Engines run on this one, which starts fastest. What runs the proxy is the test's choice. */
const engineRuntime: RuntimeName = runtimes.includes("bun") ? "bun" : "node";

/**
 * Longer than any test takes, so that how fast the machine is decides nothing. Tests that leave KV behind end the
 * leases themselves: see {@link endLeases}.
 */
const leases = ["--kv-lease-ms", "3600000"] as const;

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

/** What runs an engine. */
interface EngineLife {
  /** Resolves when it listens. */
  listening(): Promise<void>;
  /** As a machine that loses power does it. */
  kill(): Promise<void>;
  signal(name: NodeJS.Signals): void;
}

class OwnProcess implements EngineLife {
  readonly #command: RunningCommand;

  constructor(command: RunningCommand) {
    this.#command = command;
  }

  async listening(): Promise<void> {
    const { child } = this.#command;
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`engine ended: ${this.#command.stderr}`);
      return this.#command.stdout.includes("http://");
    });
  }

  kill(): Promise<void> {
    return this.#command.kill();
  }

  signal(name: NodeJS.Signals): void {
    this.#command.signal(name);
  }
}

/** In a process with others. */
class Lodger implements EngineLife {
  readonly #end: Promise<() => Promise<void>>;

  constructor(words: readonly string[]) {
    this.#end = EngineHost.shared(engineRuntime).start(words);
  }

  async listening(): Promise<void> {
    await this.#end;
  }

  async end(): Promise<void> {
    const end = await this.#end.catch(() => undefined);
    await end?.();
  }

  kill(): never {
    throw new Error("only an engine in a process of its own can be killed: see `ownProcesses`");
  }

  signal(): never {
    this.kill();
  }
}

/** One simulated engine. */
export class Engine {
  readonly url: string;
  readonly port: number;
  readonly role: Role;
  readonly #launch: () => EngineLife;
  #life: EngineLife;

  constructor(
    role: Role,
    port: number,
    switches: readonly string[],
    start: (words: readonly string[]) => EngineLife,
  ) {
    this.role = role;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#launch = () => start(["--role", role, "--port", `${port}`, ...leases, ...switches]);
    this.#life = this.#launch();
  }

  /** Resolves when it listens. */
  listening(): Promise<void> {
    return this.#life.listening();
  }

  signal(name: NodeJS.Signals): void {
    this.#life.signal(name);
  }

  async kill(): Promise<void> {
    await this.#life.kill();
  }

  /** After `kill`: a new process at the same port. */
  async startAgain(): Promise<void> {
    this.#life = this.#launch();
    await this.listening();
  }

  async state(): Promise<EngineState> {
    return (await (await fetch(`${this.url}/debug/state`)).json()) as EngineState;
  }

  /** Of the last 64 requests, as they arrived, all but those by which the proxy asks engines, at any time. */
  async requests(): Promise<RecordedRequest[]> {
    const last = (await (await fetch(`${this.url}/debug/requests`)).json()) as RecordedRequest[];
    return last.filter(({ path }) => path !== "/v1/models" && path !== "/version");
  }

  async setFault(fault: FaultInput): Promise<void> {
    const body = JSON.stringify(fault);
    const response = await fetch(`${this.url}/debug/fault`, { method: "POST", body });
    if (!response.ok) throw new Error(await response.text());
  }

  /** Those that are still in force. */
  async faults(): Promise<unknown[]> {
    return (await (await fetch(`${this.url}/debug/fault`)).json()) as unknown[];
  }

  /** Frees the KV that it holds for others, as if all leases were over; with the state after that. */
  async endLeases(): Promise<EngineState> {
    const response = await fetch(`${this.url}/debug/leases`, { method: "DELETE" });
    return (await response.json()) as EngineState;
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

export interface StackOptions {
  /** Engines have processes of their own, which can be killed and stopped. Else they share one. */
  readonly ownProcesses?: boolean;
}

export class Stack {
  readonly runtime: RuntimeName;
  /** A folder of its own, gone at the end. */
  readonly folder: string = mkdtempSync(join(tmpdir(), "gp-e2e-"));
  readonly engines: Engine[] = [];
  readonly #ownProcesses: boolean;
  readonly #commands = new Set<RunningCommand>();
  readonly #lodgers: Lodger[] = [];

  constructor(runtime: RuntimeName, { ownProcesses = false }: StackOptions = {}) {
    this.runtime = runtime;
    this.#ownProcesses = ownProcesses;
    process.once("exit", this.#killAll);
  }

  /** Starts engines of one role side by side. @param runtime they have processes of their own on it */
  async startEngines(
    role: Role,
    count: number,
    switches: readonly string[] = instant,
    runtime?: RuntimeName,
  ): Promise<Engine[]> {
    const ports = await freePorts(count);
    return Promise.all(ports.map((port) => this.startEngine(role, port, switches, runtime)));
  }

  /** Starts one at a port. */
  async startEngine(
    role: Role,
    port: number,
    switches: readonly string[],
    runtime?: RuntimeName,
  ): Promise<Engine> {
    const own = runtime ?? (this.#ownProcesses ? engineRuntime : undefined);
    const engine = new Engine(role, port, switches, (words) => this.#live(words, own));
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
  settled(engines: readonly Engine[] = this.engines): Promise<EngineState[]> {
    return statesWhen(engines, ({ running, waiting, held }) => running + waiting + held === 0);
  }

  /** Ends all processes, by their ids. */
  async end(): Promise<void> {
    await Promise.all([...this.#commands].map((command) => command.kill()));
    await Promise.all(this.#lodgers.splice(0).map((lodger) => lodger.end()));
    this.#commands.clear();
    process.off("exit", this.#killAll);
    if (existsSync(this.folder)) rmSync(this.folder, { recursive: true, force: true });
  }

  readonly #killAll = (): void => {
    for (const { child } of this.#commands) child.kill("SIGKILL");
  };

  #live(words: readonly string[], own: RuntimeName | undefined): EngineLife {
    if (own !== undefined) return new OwnProcess(this.#run(["engine", ...words], own));
    const lodger = new Lodger(words);
    this.#lodgers.push(lodger);
    return lodger;
  }

  /** The launcher becomes what it starts, so the id is the program's own. */
  #run(words: readonly string[], runtime: RuntimeName): RunningCommand {
    const env = environmentFor(runtime);
    const command = new RunningCommand(launcher, words, { cwd: this.folder, env });
    this.#commands.add(command);
    return command;
  }
}

/**
 * Resolves when it is true of all engines; with their states at that time. Fails with the states of those of which it
 * is not.
 */
export async function statesWhen(
  engines: readonly Engine[],
  isTrue: (state: EngineState) => boolean,
): Promise<EngineState[]> {
  let states: EngineState[] = [];
  try {
    await eventually(async () => {
      states = await Promise.all(engines.map((engine) => engine.state()));
      return states.every(isTrue);
    });
  } catch (error) {
    const others = states.filter((state) => !isTrue(state)).map(inShort);
    throw new Error(`engines do not come to rest: ${JSON.stringify(others)}`, { cause: error });
  }
  return states;
}

function inShort({ role, running, waiting, held, heldIds, rendezvousNames }: EngineState) {
  const names = { heldIds: heldIds.slice(0, 3), waitsFor: rendezvousNames.slice(0, 3) };
  return { role, running, waiting, held, ...names };
}

/**
 * For KV that nobody will fetch: resolves when no engine has anything to do, and its leases were ended. With the states
 * at that time, in which nothing may be left.
 */
export async function endLeases(engines: readonly Engine[]): Promise<EngineState[]> {
  const isIdle = ({ running, waiting, rendezvousWaiting }: EngineState) =>
    running + waiting + rendezvousWaiting === 0;
  await statesWhen(engines, isIdle);
  await Promise.all(engines.map((engine) => engine.endLeases()));
  return statesWhen(engines, (state) => isIdle(state) && state.held === 0);
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
