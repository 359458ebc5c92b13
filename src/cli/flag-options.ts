/** The flags that need no file, as commander knows them. */
import { Command, CommanderError } from "commander";
import type { Flags } from "../config/flags/flags.ts";
import { withoutScriptNames } from "./script-options.ts";

export function flagsCommand(): Command {
  return new Command("global-proxy")
    .helpOption(false)
    .option("--prefill <url...>", "prefill engines, as http://host:port")
    .option("--decode <url...>", "decode engines")
    .option("--engine <url...>", "engines that do all of a request, in place of the two")
    .option("--encode <url...>", "engines that encode images and the like before the prefill")
    .option("--listen <address>", "[HOST:]PORT or unix:/path (default: 0.0.0.0:8080)")
    .option("--prefill-policy <name>", "how a prefill engine is chosen (default: predictive)")
    .option("--decode-policy <name>", "how a decode engine is chosen (default: least_kv)")
    .option(
      "--shadow <name>",
      "a policy that follows that of prefill and decides nothing (default: none)",
    )
    .option("--prefill-max-num-seqs <number>", "of pd_score_balance and omni_proxy, as a bound")
    .option("--decode-max-num-seqs <number>", "the same for decode engines")
    .option("--dialect <name>", "how engines hand the KV cache over (default: omni)")
    .option("--on-prefill-failure <what>", "error or decode_only (default: error)")
    .option("--prefill-min-tokens <number>", "shorter prompts go to decode alone (default: 0)")
    .option(
      "--decode-cache-tokens <number>",
      "KV cache of a decode engine: what it has of a prompt does not count for that (default: 0, unknown)",
    )
    .option("--explain", "tell clients that send X-Explain: 1 why their engines were chosen")
    .option("--signals", "ask engines for their load, which others may put there, too")
    .option("--tokenize", "have prompts tokenised by an engine before they are placed")
    .option(
      "--kv-events <port[:replay]>",
      "where engines tell what they have cached; prompts are tokenised then (default: none)",
    )
    .option("--admin <address>", "[HOST:]PORT of a listener for operators (default: none)")
    .option("--workers <number>", "worker threads, or auto (default: 1)")
    .option("--access-log <file>", "a path, stdout or stderr (default: none)")
    .option("--record <file>", "write traffic as a trace for simulate; never text (default: none)")
    .option("--log-level <level>", "of the error log, which is stderr (default: error)")
    .option("--pid <file>", "where the process id is written; -s with --pid finds it there");
}

/** @returns the flags, or what commander finds wrong with them. */
export function readFlags(words: readonly string[]): Flags | { readonly error: string } {
  const command = flagsCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  try {
    command.parse(withoutScriptNames(words), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { error: error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ") };
  }
  return { prefill: [], decode: [], ...command.opts<Partial<Flags>>() };
}
