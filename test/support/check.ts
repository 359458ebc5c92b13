/** Runs `global-proxy check` as a process, beside simulated engines of this process, and reads its report. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { Finding, Report } from "../../src/check/report.ts";
import { type EngineOptions, instantTiming } from "../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../src/simulated-engine/server.ts";
import { launcher, RunningCommand } from "./command.ts";
import { environmentFor, type RuntimeName } from "./runtimes.ts";

export interface Checked {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Everything that a test has started; `end` ends it. */
export class CheckBench {
  readonly #ends: (() => Promise<unknown>)[] = [];

  async engine(options: EngineOptions): Promise<RunningEngine> {
    const engine = await startEngine({ ...instantTiming, ...options });
    this.#ends.push(() => engine.close());
    return engine;
  }

  /** A server of any kind, by its URL. */
  async server(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#ends.push(async () => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  later(end: () => Promise<unknown>): void {
    this.#ends.push(end);
  }

  async end(): Promise<void> {
    await Promise.all(this.#ends.splice(0).map((end) => end()));
  }
}

export async function runCheck(
  runtime: RuntimeName,
  words: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Checked> {
  const command = startCheck(runtime, words, env);
  const code = await command.exited;
  return { code, stdout: command.stdout, stderr: command.stderr };
}

/** Starts it without waiting for its end. */
export function startCheck(
  runtime: RuntimeName,
  words: readonly string[],
  env: NodeJS.ProcessEnv = {},
): RunningCommand {
  const all = { ...environmentFor(runtime), ...env };
  return new RunningCommand(launcher, ["check", ...words], { env: all });
}

export interface CheckedReport extends Report {
  readonly good: boolean;
  readonly exitCode: number | string;
}

export async function checkReport(
  runtime: RuntimeName,
  words: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<CheckedReport> {
  const { code, stdout, stderr } = await runCheck(runtime, [...words, "--json"], env);
  if (stdout === "") throw new Error(`check printed nothing and ended with ${code}: ${stderr}`);
  return { ...(JSON.parse(stdout) as CheckedReport), exitCode: code };
}

/** All findings of a status, as `code about`. */
export function codesOf({ findings }: Report, ...statuses: Finding["status"][]): string[] {
  return [
    ...new Set(findings.filter(({ status }) => statuses.includes(status)).map(({ code }) => code)),
  ].sort();
}
