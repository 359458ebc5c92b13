/** The flags that replace a configuration file. */
import { Command, CommanderError } from "commander";
import type { Flags } from "../../config/flags/flags.ts";
import { peerHint } from "./peer-options.ts";
import { scriptOptions } from "./script-options.ts";

export function flagsCommand(): Command {
  return addProgramOptions(addEngineOptions(new Command("global-proxy").helpOption(false)));
}

/** Engines, and how one is chosen. */
function addEngineOptions(command: Command): Command {
  return command
    .option(
      "--prefill <url...>",
      "prefill engines, as http://host:port; or their source: file:PATH, dns:NAME:PORT, srv:NAME",
    )
    .option("--decode <url...>", "decode engines")
    .option("--engine <url...>", "engines that do prefill and decode, instead of both")
    .option("--encode <url...>", "engines that encode images, sounds and videos before the prefill")
    .option("--resolver <address>", "name servers for dns: and srv: (default: the system's)")
    .option("--listen <address>", "[HOST:]PORT or unix:/path (default: 0.0.0.0:8080)")
    .option("--prefill-policy <name>", "policy of the prefill engines (default: predictive)")
    .option("--decode-policy <name>", "policy of the decode engines (default: least_kv)")
    .option(
      "--shadow <name>",
      "a second prefill policy to compare with, which decides nothing (default: none)",
    )
    .option(
      "--prefill-max-num-seqs <number>",
      "requests a prefill engine takes at once, for pd_score_balance and omni_proxy",
    )
    .option("--decode-max-num-seqs <number>", "the same for decode engines")
    .option("--dialect <name>", "how engines transfer the KV cache (default: omni)")
    .option(
      "--models <auto>",
      "auto: several models behind one address, each request to engines that list its model",
    )
    .option("--model-alias <name=model...>", "another name of a model, with --models auto")
    .option("--on-prefill-failure <what>", "error or decode_only (default: error)")
    .option("--prefill-min-tokens <number>", "shorter prompts skip the prefill engine (default: 0)")
    .option(
      "--decode-cache-tokens <number>",
      "KV cache of a decode engine: cached tokens do not count for --prefill-min-tokens (default: 0, unknown)",
    )
    .option("--request-timeout-ms <ms>", "for a whole request (default: 0, no limit)")
    .option("--prefill-timeout-ms <ms>", "for a prefill at one engine (default: 0, no limit)")
    .option(
      "--keep-alive-comment-ms <ms>",
      "comments while a stream waits for its first token (default: 0, none)",
    )
    .option("--resume", "continue streams of decode engines that die, from another one")
    .option(
      "--explain",
      "for clients that send X-Explain: 1, explain which engines were chosen and why",
    )
    .option(
      "--engine-control",
      "let clients reach paths that control engines, such as /sleep (default: 403)",
    )
    .option(
      "--signals",
      "poll engines for their load, also from requests that are not this proxy's",
    )
    .option(
      "--health-checks",
      "ask engines for /health every 5 s, and send none to those that fail",
    )
    .option(
      "--ejection <rule>",
      "when engines that fail get no requests, as outlier?late_ms=0 or max_fails (default: outlier)",
    )
    .option("--stream-usage", "ask engines for the usage in every event of a stream")
    .option(
      "--attention-num <number>",
      "of the decode engines only the last so many take requests: the others compute feed-forward layers for them",
    )
    .option("--tokenize", "have prompts tokenised by an engine before an engine is chosen")
    .option(
      "--kv-events <port[:replay]>",
      "port where engines publish their cached blocks, or tcp://*:PORT where they connect to; implies --tokenize",
    );
}

/** The program itself: its admin listener, workers and logs. */
function addProgramOptions(command: Command): Command {
  return command
    .option("--admin <address>", "[HOST:]PORT of the admin listener (default: none)")
    .option("--admin-token-file <file>", "its bearer token, without which it only reads")
    .option("--admin-token-env <name>", "environment variable that holds that token")
    .option(
      "--api-keys <file>",
      "hashes of the clients' API keys, as key writes them (default: none)",
    )
    .option("--metrics <address>", "[HOST:]PORT of a listener for /metrics alone, or off")
    .option("--metrics-token-file <file>", "its bearer token, which any address but loopback needs")
    .option("--metrics-token-env <name>", "environment variable that holds that token")
    .option("--internal-metrics", "vLLM's names for clients, at /internal/metrics")
    .option("--metrics-servers <url...>", "servers whose /metrics clients get, by turns")
    .option("--vllm-metric-names", "metrics also by vLLM's names, for its dashboards")
    .option("--workers <number>", "worker threads, or auto (default: 1)")
    .option("--access-log <file>", "a path, stdout or stderr (default: none)")
    .option("--access-log-format <name>", "combined or json (default: combined)")
    .option("--otlp-traces-endpoint <url>", "collector for OpenTelemetry's traces (default: none)")
    .option("--trace-sample-ratio <number>", "share of requests that are exported (default: 1)")
    .option(
      "--trace-slow-ms <ms>",
      "export requests that take so long in any case (default: 0, no)",
    )
    .option(
      "--record <file>",
      "record traffic, without its text, as a trace for simulate (default: none)",
    )
    .option("--log-level <level>", "level of the error log on stderr (default: warn)")
    .option("--pid <file>", "file for the process id; -s with --pid reads it");
}

/** @returns the flags, or what is wrong with them */
export function readFlags(words: readonly string[]): Flags | { readonly error: string } {
  const flags = scriptOptions(words);
  if ("error" in flags) return flags;
  const command = flagsCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  try {
    command.parse(flags, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const message = error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
    const [, unknown = ""] = /^unknown option '([^'=]*)/.exec(message) ?? [];
    const hint = peerHint(unknown);
    return { error: hint === undefined ? message : `unknown option '${unknown}' (${hint})` };
  }
  return { prefill: [], decode: [], ...command.opts<Partial<Flags>>() };
}
