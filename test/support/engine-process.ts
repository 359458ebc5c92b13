/** Starts simulated engines as processes of their own, on any runtime. Needs `npm run build`. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { executableOf, type RuntimeName, root } from "./runtimes.ts";

const command = new URL("../../dist/cli/commands/engine.js", import.meta.url);

export interface EngineProcess {
  readonly url: string;
  readonly pid: number;
  /** Ends it by the signal, and resolves to its exit code; null when the signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** `switches` as for `global-proxy engine`; `--port 0` unless they name one. */
export async function startEngineProcess(
  runtime: RuntimeName,
  switches: readonly string[],
): Promise<EngineProcess> {
  if (!existsSync(command))
    throw new Error("dist/cli/commands/engine.js is missing: run `npm run build`");
  const script =
    `const { engineCommand } = await import(${JSON.stringify(command.href)});` +
    `await engineCommand().parseAsync(${JSON.stringify(switches)}, { from: "user" });`;
  const args = runtime === "bun" ? ["-e", script] : ["--input-type=module", "-e", script];
  const child = spawn(executableOf(runtime), args, {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const url = await new Promise<string>((resolve, reject) => {
    let output = "";
    const onOutput = (part: Buffer): void => {
      output += part;
      const found = /https?:\/\/\S+/.exec(output)?.[0];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on("data", onOutput);
    child.stderr.on("data", onOutput);
    exited.then((code) => reject(new Error(`engine ended with ${code}: ${output}`)));
  });
  return {
    url,
    pid: child.pid!,
    stop(signal = "SIGTERM") {
      child.kill(signal);
      return exited;
    },
  };
}
