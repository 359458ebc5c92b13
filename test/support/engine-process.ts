/** Starts simulated engines as processes of their own, on either runtime. Needs `npm run build`. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export type Runtime = "node" | "bun";

const root = fileURLToPath(new URL("../../", import.meta.url));
const bun = `${root}node_modules/.bin/bun`;
const command = new URL("../../dist/cli/engine.js", import.meta.url);

/** Bun is an optional dependency, so what needs it is left out where it is not there. */
export const runtimes: readonly Runtime[] = existsSync(bun) ? ["node", "bun"] : ["node"];

export interface EngineProcess {
  readonly url: string;
  readonly pid: number;
  /** Ends it by the signal, and resolves to its exit code; null when the signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** `switches` as for `global-proxy engine`; `--port 0` unless they name one. */
export async function startEngineProcess(
  runtime: Runtime,
  switches: readonly string[],
): Promise<EngineProcess> {
  if (!existsSync(command)) throw new Error("dist/cli/engine.js is missing: run `npm run build`");
  const script =
    `const { engineCommand } = await import(${JSON.stringify(command.href)});` +
    `await engineCommand().parseAsync(${JSON.stringify(switches)}, { from: "user" });`;
  const executable = runtime === "bun" ? bun : process.execPath;
  const args = runtime === "bun" ? ["-e", script] : ["--input-type=module", "-e", script];
  const child = spawn(executable, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const url = await new Promise<string>((resolve, reject) => {
    let output = "";
    const onOutput = (part: Buffer): void => {
      output += part;
      const found = /http:\/\/\S+/.exec(output)?.[0];
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
