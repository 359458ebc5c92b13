/** `demo`: four prefill and four decode engines, the proxy in front of them, and a first request to look at. */
import { Command, InvalidArgumentError } from "commander";
import type { Runtime } from "../../config/check/runtime.ts";
import { parseFlags } from "../../config/flags/parse-flags.ts";
import { inCommandLine } from "../../config/problems/problem.ts";
import { Instance, type InstanceOptions } from "../../control/process/instance.ts";
import { type RunningEngine, startEngine } from "../../simulated-engine/server.ts";
import { systemClock } from "../../transport/clock.ts";
import { systemRandom } from "../../transport/random.ts";
import { DemoTraffic } from "../demo-traffic.ts";
import { print, printProblem } from "../print.ts";
import { formatAddress, runInstance, startLine } from "../serve.ts";
import { version } from "../version.ts";

const enginesPerRole = 4;
const model = "simulated";

interface DemoOptions {
  readonly port: number;
  readonly once: boolean;
}

export function demoCommand(
  runtime: Runtime,
  program: Pick<InstanceOptions, "workerEntry" | "pageFiles">,
  onCode: (code: number) => void,
): Command {
  return new Command("demo")
    .description("run four prefill and four decode engines with the proxy in front")
    .option("--port <port>", "port of the proxy; 0 = a free one", readPort, 0)
    .option("--once", "end after the first request", false)
    .action(async (options: DemoOptions) => {
      onCode(await runDemo(options, runtime, program));
    });
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 65_536;
  if (port > 65_535) throw new InvalidArgumentError("It must be a port.");
  return port;
}

/** @returns the exit code. */
async function runDemo(
  { port, once }: DemoOptions,
  runtime: Runtime,
  program: Pick<InstanceOptions, "workerEntry" | "pageFiles">,
): Promise<number> {
  const prefills = await startEngines("prefill");
  const decodes = await startEngines("decode");
  print(`prefill engines: ${prefills.map(hostAndPort).join(", ")}\n`);
  print(`decode engines:  ${decodes.map(hostAndPort).join(", ")}\n`);
  const parsed = parseFlags({
    prefill: prefills.map(({ url }) => url),
    decode: decodes.map(({ url }) => url),
    listen: `127.0.0.1:${port}`,
    // What `--once` prints is all that there is to see.
    ...(!once && { admin: "0", shadow: "llm_d" }),
  });
  if ("errors" in parsed) {
    parsed.errors.forEach(printProblem);
    return 1;
  }
  const instance = new Instance({
    config: parsed.config,
    version,
    load: () => ({ config: parsed.config, notices: [], locate: inCommandLine }),
    runtime,
    clock: systemClock,
    random: systemRandom,
    ...program,
  });
  let exchanged = true;
  let traffic: DemoTraffic | undefined;
  const code = await runInstance(instance, (report) => {
    print(`proxy:           ${startLine(runtime, report)}\n\n`);
    const url = formatAddress(report.addresses[0]!);
    void showExchange(url, prefills, decodes).then((good) => {
      exchanged = good;
      if (once || !good) void instance.stop();
      else {
        const page = formatAddress(report.adminAddress!);
        print(`\nDashboard: ${page}/ shows gentle traffic through these engines\n`);
        print(`\nTry it yourself (Ctrl-C ends the demo):\n\n${curlLine(url)}\n\n`);
        const { nowMs } = systemClock;
        traffic = new DemoTraffic({ url, model, nowMs, random: systemRandom });
        traffic.start();
      }
    });
  });
  traffic?.stop();
  await Promise.all([...prefills, ...decodes].map((engine) => engine.close()));
  return exchanged ? code : 1;
}

function startEngines(role: "prefill" | "decode"): Promise<RunningEngine[]> {
  // Slow enough to watch the text arrive.
  const options = {
    role,
    model,
    prefillTokensPerSecond: 2_000,
    itlMs: 30,
    kvTransferMs: 15,
    prefixCache: true,
  };
  return Promise.all(Array.from({ length: enginesPerRole }, () => startEngine(options)));
}

function hostAndPort({ host, port }: RunningEngine): string {
  return `${host}:${port}`;
}

const request = {
  model,
  prompt: `Why are prefill and decode better done on different engines? ${"Think. ".repeat(20)}`,
  max_tokens: 24,
  stream: true,
};

function curlLine(url: string): string {
  const body = JSON.stringify({ ...request, prompt: "Hello, engines!" });
  return `  curl -N ${url}/v1/completions -H 'Content-Type: application/json' -d '${body}'`;
}

/** Sends one request and prints what happens. @returns whether it used a prefill and a decode engine */
async function showExchange(
  url: string,
  prefills: readonly RunningEngine[],
  decodes: readonly RunningEngine[],
): Promise<boolean> {
  const id = "demo-0001";
  const body = JSON.stringify(request);
  print(`request:  POST ${url}/v1/completions\n          X-Request-Id: ${id}\n          ${body}\n`);
  const startMs = systemClock.nowMs();
  try {
    const response = await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-request-id": id },
      body,
    });
    // As the engines have recorded it, not the proxy.
    const served = (engine: RunningEngine) => engine.state().requestIds.includes(id);
    const prefill = prefills.find(served);
    const decode = decodes.find(served);
    print(`prefill:  ${prefill === undefined ? "no engine" : hostAndPort(prefill)}\n`);
    print(`decode:   ${decode === undefined ? "no engine" : hostAndPort(decode)}\n`);
    print(`status:   ${response.status}\nresponse: `);
    const { text, chunks, firstMs } = await printStream(response, startMs);
    const totalMs = systemClock.nowMs() - startMs;
    print(`\nTTFT:     ${firstMs.toFixed(1)} ms, ${chunks} tokens in ${totalMs.toFixed(0)} ms\n`);
    const isTransferred = decode?.state().remotePrefills === 1;
    print(`KV cache: ${isTransferred ? "transferred" : "not transferred"}\n`);
    return response.status === 200 && text !== "" && prefill !== undefined && isTransferred;
  } catch (error) {
    const { cause, message } = error as Error;
    print(`\nfailed:   ${cause instanceof Error ? cause.message : message}\n`);
    return false;
  }
}

/** Prints the text of a streamed completion as it arrives. */
async function printStream(response: Response, startMs: number) {
  let text = "";
  let chunks = 0;
  let firstMs = 0;
  let rest = "";
  const decoder = new TextDecoder();
  for await (const bytes of response.body ?? []) {
    rest += decoder.decode(bytes, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const piece = textOf(line);
      if (piece === "") continue;
      if (chunks === 0) firstMs = systemClock.nowMs() - startMs;
      chunks += 1;
      text += piece;
      print(piece);
    }
  }
  return { text, chunks, firstMs };
}

/** The text in a line of an event stream; "" for `[DONE]` and between events. */
function textOf(line: string): string {
  if (!line.startsWith("data: {")) return "";
  const event = JSON.parse(line.slice("data: ".length)) as { choices?: { text?: string }[] };
  return event.choices?.[0]?.text ?? "";
}
