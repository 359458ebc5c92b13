/**
 * A piece of a trace in real time: real engines (`global-proxy engine`), the real proxy, real sockets, one policy after
 * the other; and the same piece in the lab's virtual time. Whatever the machine adds, the policies should come in the
 * same order.
 *   npx bun bench/replay.ts TRACE [--requests 400] [--speed 20] [--scale 0.4]
 *     [--prefill 2] [--decode 2] [--policies a,b]
 * All times of the trace and of the engines are divided by the speed, arrivals by the scale, too. Answers are cut to a
 * few tokens: it is prefill that policies differ in.
 */
import { readFileSync } from "node:fs";
import { Agent, request as post } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Outcome } from "../src/lab/model/fleet.ts";
import { dense70b, type EngineProfile } from "../src/lab/profile.ts";
import { replay } from "../src/lab/replay.ts";
import { metricsOf } from "../src/lab/results/metrics.ts";
import { parseTrace, spreadArrivals, type TraceRequest } from "../src/lab/traces/trace.ts";
import { seededRandom } from "../src/simulated-engine/model/prng.ts";
import { freePort, type Started, start, waitForPort } from "./process.ts";

const command = fileURLToPath(new URL("../bin/global-proxy", import.meta.url));
const outputTokensMax = 4;
const itlMs = 5;
/** Of one block of the trace, as the simulated engine counts: 512 tokens of 4 bytes. */
const blockBytes = 2_048;
/** Arrivals of one tick of the trace's clock are spread over so many ms of the trace. */
const spreadMs = 3_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    requests: { type: "string", default: "400" },
    speed: { type: "string", default: "20" },
    scale: { type: "string", default: "0.4" },
    prefill: { type: "string", default: "2" },
    decode: { type: "string", default: "2" },
    policies: {
      type: "string",
      default: "round_robin,length_balance,least_bytes,llm_d,predicted_time,predictive",
    },
  },
});
const speed = Number(values.speed);
/** Of the arrivals alone. */
const scale = Number(values.scale);
const fleet = { prefill: Number(values.prefill), decode: Number(values.decode) };

/** As the simulated engine is started: a time for each token, nothing else. */
const profile: EngineProfile = {
  ...dense70b,
  name: "simulated engine",
  source: "bench/replay.ts",
  prefillBaseMs: 0,
  prefillTokenMs: dense70b.prefillTokenMs / speed,
  prefillPairMs: 0,
  transferBaseMs: 0,
  transferTokenMs: 0,
  stepBaseMs: itlMs,
  stepRequestMs: 0,
  stepKvTokenMs: 0,
};
const slo = { ttftFactor: 5, ttftExtraMs: 1_000 / speed, tpotMs: 60, share: 0.9 };

function excerpt(path: string): TraceRequest[] {
  const trace = parseTrace(readFileSync(path, "utf8")).slice(0, Number(values.requests));
  return spreadArrivals(trace, spreadMs, seededRandom(1)).map((one) => ({
    ...one,
    arrivalMs: one.arrivalMs / speed / scale,
    outputTokens: Math.min(one.outputTokens, outputTokensMax),
  }));
}

/** Text of so many tokens, of which each block is the same wherever the trace has its number. */
function promptOf({ blocks, inputTokens }: TraceRequest, number: number): string {
  const whole = blocks.slice(0, Math.floor(inputTokens / 512));
  const text = whole.map((block) => ` block ${block}`.padEnd(blockBytes, `.${block}`)).join("");
  return text.padEnd(inputTokens * 4, ` request ${number}`);
}

async function serve(args: readonly string[], port: number, runtime: string): Promise<Started> {
  const started = start(null, command, args, { GLOBAL_PROXY_RUNTIME: runtime });
  await waitForPort(started, port);
  return started;
}

async function engine(role: string): Promise<{ url: string; started: Started }> {
  const port = await freePort();
  const rate = String(1_000 / profile.prefillTokenMs);
  const times = ["--prefill-tokens-per-second", rate, "--itl-ms", String(itlMs)];
  const rest = ["--batch-penalty-ms", "0", "--prefix-cache", "--prompt-tokens-details"];
  const args = ["engine", "--role", role, "--port", String(port), ...times, ...rest];
  return { url: `http://127.0.0.1:${port}`, started: await serve(args, port, "bun") };
}

async function inRealTime(policy: string, trace: readonly TraceRequest[]): Promise<Outcome[]> {
  const start = (count: number, role: string) =>
    Promise.all(Array.from({ length: count }, () => engine(role)));
  const prefills = await start(fleet.prefill, "prefill");
  const decodes = await start(fleet.decode, "decode");
  const port = await freePort();
  const urls = (ones: typeof prefills) => ones.map(({ url }) => url);
  const args = ["--prefill", ...urls(prefills), "--decode", ...urls(decodes)];
  const listen = ["--prefill-policy", policy, "--listen", `127.0.0.1:${port}`];
  const proxy = await serve([...args, ...listen], port, "bun");
  try {
    return await sendAll(port, trace);
  } finally {
    await Promise.all(
      [proxy, ...[...prefills, ...decodes].map(({ started }) => started)].map((one) => one.stop()),
    );
  }
}

async function sendAll(port: number, trace: readonly TraceRequest[]): Promise<Outcome[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1_000 });
  const bodies = trace.map((one, i) => {
    const limits = { max_tokens: one.outputTokens, min_tokens: one.outputTokens };
    return Buffer.from(
      JSON.stringify({ model: "simulated", prompt: promptOf(one, i), ...limits, stream: true }),
    );
  });
  const beganMs = performance.now();
  const nowMs = () => performance.now() - beganMs;
  const outcomes = trace.map(async (request, i) => {
    await delay(request.arrivalMs);
    const outcome = {
      request,
      arrivedMs: nowMs(),
      firstTokenMs: -1,
      doneMs: -1,
      cachedTokens: 0,
      prefillEngine: -1,
    };
    await new Promise<void>((resolve) => {
      const headers = { "content-type": "application/json", "content-length": bodies[i]!.length };
      const path = "/v1/completions";
      const sent = post(
        { agent, host: "127.0.0.1", port, path, method: "POST", headers },
        (response) => {
          response.on("data", () => {
            if (response.statusCode === 200 && outcome.firstTokenMs < 0)
              outcome.firstTokenMs = nowMs();
          });
          response.on("end", () => {
            if (response.statusCode === 200) outcome.doneMs = nowMs();
            resolve();
          });
          response.on("error", () => resolve());
        },
      );
      sent.on("error", () => resolve());
      sent.end(bodies[i]);
    });
    return outcome;
  });
  const all = await Promise.all(outcomes);
  agent.destroy();
  return all;
}

function inVirtualTime(policy: string, trace: readonly TraceRequest[]): Outcome[] {
  return replay({
    ...fleet,
    trace,
    profile,
    scale: 1,
    cacheBlocks: 1 << 20,
    noise: 0,
    slowest: 1,
    random: seededRandom(2),
    prefillPolicy: policy,
    decodePolicy: "least_kv",
  });
}

const trace = excerpt(positionals[0] ?? "");
const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |\n`;
process.stdout.write(
  line([
    "policy",
    "time",
    "completed",
    "in SLO",
    "worst decile",
    "TTFT p50 ms",
    "p90 ms",
    "p99 ms",
  ]) + line(["---", "---", ...Array.from({ length: 6 }, () => "--:")]),
);
for (const policy of values.policies.split(",")) {
  for (const [time, run] of [
    ["virtual", inVirtualTime],
    ["real", inRealTime],
  ] as const) {
    const metrics = metricsOf(await run(policy, trace), profile, slo);
    const { p50, p90, p99 } = metrics.ttftMs;
    const shares = [metrics.attained, metrics.attainedWorst].map((share) => share.toFixed(3));
    process.stdout.write(
      line([
        policy,
        time,
        metrics.completed,
        ...shares,
        ...[p50, p90, p99].map((ms) => ms.toFixed(0)),
      ]),
    );
  }
}
