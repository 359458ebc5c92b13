/** Clients that people use, and vLLM's own load generator, through the proxy. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pythonEnvironment } from "./environment.mjs";
import { modelName } from "./fleet.mjs";

const run = (file, args, cwd) =>
  spawnSync(file, args, {
    cwd,
    env: { ...process.env, ...pythonEnvironment, LITELLM_LOCAL_MODEL_COST_MAP: "True" },
    encoding: "utf8",
    timeout: 600_000,
  });

export async function clients({ startProxy, say, folder, fleet }) {
  const proxy = await startProxy();
  const { python, vllm, model } = fleet.installed;
  const some = run(python, [join(import.meta.dirname, "clients.py"), proxy.url], folder);
  say(`${some.stdout}${some.status === 0 ? "" : some.stderr.slice(-2_000)}`.trimEnd());
  const args = [
    "bench",
    "serve",
    "--backend",
    "openai",
    "--base-url",
    proxy.url,
    "--model",
    modelName,
  ];
  args.push(
    "--tokenizer",
    model,
    "--dataset-name",
    "random",
    "--num-prompts",
    "60",
    "--max-concurrency",
    "8",
  );
  args.push("--random-input-len", "200", "--random-output-len", "20", "--ignore-eos");
  const bench = run(vllm, args, folder);
  const lines = bench.stdout
    .split("\n")
    .filter((line) => /^(Successful|Failed|Mean TTFT|Mean TPOT|Total (gen|input))/.test(line));
  for (const line of lines) say(`  vllm bench serve, ${line.replace(/\s+/g, " ")}`);
  // Nothing was read meanwhile: connections that engines have closed are still in fetch's pool.
  await sleep(1_000);
  const isWhole = /Successful requests:\s+60\b/.test(bench.stdout);
  if (!isWhole) say(`  vllm bench serve: FAILED\n${bench.stderr.slice(-2_000)}`);
  return some.status === 0 && isWhole;
}
