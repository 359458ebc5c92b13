/** `global-proxy calibrate`: measures a live engine and prints its profile for `simulate`. */
import { Command, InvalidArgumentError } from "commander";
import { type Calibration, calibrate, firstModel } from "../../lab/calibrate/index.ts";
import { requestsOf } from "../../lab/calibrate/measure.ts";
import { textTable } from "../../lab/results/text-table.ts";
import { visibleIn, visibleJson } from "../../observe/visible.ts";
import { systemClock } from "../../transport/clock.ts";
import { systemRandom } from "../../transport/random.ts";
import { print, printMessage } from "../print.ts";
import { Progress } from "../progress.ts";

interface Switches {
  readonly model?: string;
  readonly apiKey?: string;
  readonly promptTokens: number;
  readonly batch: number;
  readonly repeats: number;
  readonly timeout: number;
  readonly json: boolean;
}

export function calibrateCommand(onCode: (code: number) => void): Command {
  return new Command("calibrate")
    .description("measure a live engine and print its profile for simulate")
    .argument("<url>", "an engine that prefills and decodes, without other load")
    .option("--model <name>", "model to measure (default: the first that the engine serves)")
    .option("--api-key <key>", "sent as a bearer token")
    .option("--prompt-tokens <n>", "longest prompt", upTo(1_000_000), 8_192)
    .option("--batch <n>", "largest batch of decodes", upTo(256), 16)
    .option("--repeats <n>", "prefills of each length", upTo(20), 3)
    .option("--timeout <s>", "give up after this time", upTo(86_400), 300)
    .option("--json", "print only the profile, for simulate --engine-profile FILE.json", false)
    .action(async (url: string, switches: Switches) => onCode(await run(url, switches)));
}

async function run(given: string, switches: Switches): Promise<number> {
  const url = given.replace(/\/+(?:v1\/*)?$/, "");
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    printMessage("emerg", `"${given}" is not a URL such as http://127.0.0.1:8000`);
    return 1;
  }
  const { json, timeout, batch, promptTokens, repeats } = switches;
  const signal = AbortSignal.timeout(timeout * 1000);
  const size = { promptTokensMax: promptTokens, batchMax: batch, repeats, onResponse() {} };
  const progress = new Progress(requestsOf(size));
  try {
    const engine = { url, apiKey: switches.apiKey, signal };
    const model = switches.model ?? (await firstModel(engine));
    const target = { ...engine, model, clock: systemClock, random: systemRandom };
    const found = await calibrate(target, { ...size, onResponse: () => progress.step() });
    progress.end();
    print(json ? visibleJson(found.profile) : textOf(visibleIn(found)));
    return 0;
  } catch (error) {
    progress.end();
    const { message, cause } = error as Error;
    const why = cause instanceof Error ? cause.message : message;
    printMessage("emerg", signal.aborted ? `no result after ${timeout} s` : `${url}: ${why}`);
    return 1;
  }
}

function textOf({ profile, prefill, decode, prefillError, decodeError }: Calibration): string {
  const { name, source, ...constants } = profile;
  return [
    textTable(prefill, [
      ["prompt tokens", ({ tokens }) => String(tokens)],
      ["TTFT ms", ({ ms }) => ms.toFixed(1)],
    ]),
    textTable(decode, [
      ["batch", (one) => String(one.batch)],
      ["KV tokens", (one) => one.residentTokens.toFixed(0)],
      ["step ms", (one) => one.stepMs.toFixed(2)],
    ]),
    `${name} (${source}); the profile is within ${percent(prefillError)} of the prefills ` +
      `and ${percent(decodeError)} of the steps\n`,
    textTable(Object.entries(constants), [
      ["constant", ([constant]) => constant],
      ["value", ([, value]) => String(Number(value.toPrecision(4)))],
    ]),
  ].join("\n");
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function upTo(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${most}.`);
  };
}
