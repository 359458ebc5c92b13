/** The commands of the program by name. Each is loaded only when it is called, so that serving loads none of them. */
import type { Command } from "commander";
import type { Runtime } from "../config/check/runtime.ts";
import type { PageFiles } from "../control/admin/dashboard/page-files.ts";

export interface RunOptions {
  /** Another worker than the usual one: that of the executable, or for tests. */
  readonly workerEntry: URL;
  /** The files of the dashboard: those of the executable, else those that were built. */
  readonly pageFiles: () => Promise<PageFiles>;
  /** Instead of the usual time after which a worker hangs, for tests. */
  readonly workerHangMs?: number;
}

export interface CommandDeps {
  readonly runtime: Runtime;
  readonly options: RunOptions;
  /** Takes the exit code. */
  onCode(code: number): void;
}

type Loader = (deps: CommandDeps) => Promise<Command>;

const loaders: Readonly<Record<string, Loader>> = {
  check: async ({ runtime, options, onCode }) =>
    (await import("./commands/check.ts")).checkCommand(runtime, options, onCode),
  convert: async ({ runtime, onCode }) =>
    (await import("./commands/convert.ts")).convertCommand(runtime, onCode),
  engine: async () => (await import("./commands/engine.ts")).engineCommand(),
  demo: async ({ runtime, options, onCode }) =>
    (await import("./commands/demo.ts")).demoCommand(runtime, options, onCode),
  simulate: async ({ onCode }) => (await import("./commands/simulate.ts")).simulateCommand(onCode),
  calibrate: async ({ onCode }) =>
    (await import("./commands/calibrate.ts")).calibrateCommand(onCode),
  status: async ({ onCode }) => (await import("./commands/fleet.ts")).statusCommand(onCode),
  engines: async ({ onCode }) => (await import("./commands/fleet.ts")).enginesCommand(onCode),
  top: async ({ onCode }) => (await import("./commands/top.ts")).topCommand(onCode),
  drain: async ({ onCode }) => (await import("./commands/drain.ts")).drainCommand("drain", onCode),
  undrain: async ({ onCode }) =>
    (await import("./commands/drain.ts")).drainCommand("undrain", onCode),
  requests: async ({ onCode }) => (await import("./commands/requests.ts")).requestsCommand(onCode),
  explain: async ({ onCode }) => (await import("./commands/requests.ts")).explainCommand(onCode),
  config: async ({ onCode }) => (await import("./commands/configuration.ts")).configCommand(onCode),
  reload: async ({ onCode }) => (await import("./commands/configuration.ts")).reloadCommand(onCode),
  "log-level": async ({ onCode }) =>
    (await import("./commands/configuration.ts")).logLevelCommand(onCode),
  probe: async ({ onCode }) => (await import("./commands/probe.ts")).probeCommand(onCode),
  completion: async (deps) =>
    (await import("./commands/shell.ts")).completionCommand(() => loadCommands(deps), deps.onCode),
  man: async (deps) =>
    (await import("./commands/shell.ts")).manCommand(() => loadCommands(deps), deps.onCode),
  key: async ({ onCode }) => (await import("./commands/key.ts")).keyCommand(onCode),
};

export const commandNames: readonly string[] = Object.keys(loaders);

/** @param name one of `commandNames` */
export function loadCommand(name: string, deps: CommandDeps): Promise<Command> {
  return loaders[name]!(deps);
}

export function loadCommands(deps: CommandDeps): Promise<Command[]> {
  return Promise.all(commandNames.map((name) => loadCommand(name, deps)));
}
