/** `global-proxy top`: the engines of a running proxy and its rates, live in the terminal. */
import { type Command, InvalidArgumentError } from "commander";
import { visible } from "../../observe/visible.ts";
import { systemClock } from "../../transport/clock.ts";
import type { AdminClient } from "../admin/admin-client.ts";
import {
  type AdminCommandSwitches,
  adminCommand,
  exitCodes,
  show,
  withAdmin,
} from "../admin/admin-command.ts";
import { AdminFailure } from "../admin/admin-failure.ts";
import { type Rates, ratesBetween, type Sample, takeSample } from "../top/sample.ts";
import { Screen } from "../top/screen.ts";
import { linesOf, type SortKey, sortings } from "../top/view.ts";

interface Switches extends AdminCommandSwitches {
  readonly interval: number;
}

/** A page that is not live takes two samples so far apart. */
const snapshotMs = 1_000;
const interruptKey = "\u0003";

export function topCommand(onCode: (code: number) => void): Command {
  return adminCommand(
    "top",
    "show the engines of a running proxy and its rates, live; once if it is no terminal",
  )
    .option("--interval <seconds>", "between two looks", seconds, 1)
    .action((switches: Switches) =>
      withAdmin(switches, onCode, (client) =>
        process.stdout.isTTY && switches.json !== true
          ? new Top(client, switches.interval * 1_000).run()
          : snapshot(client, switches),
      ),
    );
}

async function snapshot(client: AdminClient, switches: Switches): Promise<number> {
  const first = await takeSample(client, systemClock.wallMs);
  await new Promise((resolve) => setTimeout(resolve, snapshotMs));
  const sample = await takeSample(client, systemClock.wallMs);
  const rates = ratesBetween(first, sample);
  const size = { columns: Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY };
  const view = {
    origin: client.origin,
    sample,
    rates,
    sortKey: "l",
    hasColours: false,
    ...size,
  } as const;
  // Its last line names the keys.
  show(
    switches,
    { pools: sample.pools, rates },
    () => `${linesOf(view).slice(0, -1).join("\n")}\n`,
  );
  return exitCodes.done;
}

class Top {
  readonly #client: AdminClient;
  readonly #intervalMs: number;
  readonly #screen = new Screen(
    (key) => this.#pressed(key),
    () => this.#draw(),
  );
  #sortKey: SortKey = "l";
  #sample: Sample | undefined;
  #rates: Rates | undefined;
  /** Of the last look, if it failed. */
  #problem = "";
  #timer: NodeJS.Timeout | undefined;
  #end: (code: number) => void = () => {};

  constructor(client: AdminClient, intervalMs: number) {
    this.#client = client;
    this.#intervalMs = intervalMs;
  }

  /** Throws `AdminFailure` if there is nothing to show from the start; later it waits for the proxy to come back. */
  async run(): Promise<number> {
    this.#sample = await takeSample(this.#client, systemClock.wallMs);
    const ended = new Promise<number>((resolve) => {
      this.#end = resolve;
    });
    const stop = () => this.#end(exitCodes.done);
    process.once("SIGTERM", stop);
    process.once("SIGINT", stop);
    this.#screen.open();
    try {
      this.#draw();
      this.#schedule();
      return await ended;
    } finally {
      clearTimeout(this.#timer);
      process.off("SIGTERM", stop);
      process.off("SIGINT", stop);
      this.#screen.close();
    }
  }

  #schedule(): void {
    this.#timer = setTimeout(
      () => void this.#look().finally(() => this.#schedule()),
      this.#intervalMs,
    );
  }

  async #look(): Promise<void> {
    try {
      const sample = await takeSample(this.#client, systemClock.wallMs);
      if (this.#sample !== undefined) this.#rates = ratesBetween(this.#sample, sample);
      this.#sample = sample;
      this.#problem = "";
    } catch (error) {
      if (!(error instanceof AdminFailure)) throw error;
      this.#problem = error.message;
    }
    this.#draw();
  }

  #pressed(key: string): void {
    if (key === "q" || key === interruptKey) this.#end(exitCodes.done);
    else if (Object.hasOwn(sortings, key)) {
      this.#sortKey = key as SortKey;
      this.#draw();
    }
  }

  #draw(): void {
    const { columns, rows } = this.#screen;
    if (this.#sample === undefined) return;
    const { origin } = this.#client;
    const hasColours = process.env["NO_COLOR"] === undefined;
    const lines = linesOf({
      origin,
      sample: this.#sample,
      rates: this.#rates,
      sortKey: this.#sortKey,
      columns,
      rows,
      hasColours,
    });
    if (this.#problem !== "") lines[1] = visible(this.#problem).slice(0, columns);
    this.#screen.draw(lines);
  }
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0.1 && value <= 3_600) return value;
  throw new InvalidArgumentError("It must be a number of seconds from 0.1 to 3600.");
}
