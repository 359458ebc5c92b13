/** The figures as text: tables for the terminal and, from the same rows, docs/benchmarks.md. */

import type { Plan } from "./config.ts";
import type { Round, ScenarioResult } from "./cpu-rounds.ts";
import { DISTURBED_SHARE } from "./noise.ts";
import { type Summary, summarise } from "./stats.ts";
import type { HeldStreams, LatencyFigures, LatencySummary } from "./stream-figures.ts";

export interface Results {
  readonly date: string;
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly plan: Plan;
  /** Titles by rival id, in the order of the tables. */
  readonly titles: Readonly<Record<string, string>>;
  readonly skipped: readonly string[];
  readonly scenarios: readonly ScenarioResult[];
  readonly held: Readonly<Record<string, HeldStreams>>;
  readonly latency: LatencyFigures | null;
}

export interface Table {
  readonly title: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const UNIT_RIVAL = "nginx";
const KIB = 1024;

function range(summary: Summary, digits: number): string {
  const { median, min, max } = summary;
  return `${median.toFixed(digits)} (${min.toFixed(digits)}..${max.toFixed(digits)})`;
}

/** Ratio of two rivals within each alternation. */
export function ratios(
  rounds: Readonly<Record<string, readonly Round[]>>,
  id: string,
  base: string,
): Summary | null {
  const [own, other] = [rounds[id], rounds[base]];
  if (own === undefined || other === undefined || own.length === 0) return null;
  return summarise(own.map((round, i) => round.cpuUsPerUnit / other[i]!.cpuUsPerUnit));
}

function scenarioTable(result: ScenarioResult, results: Results): Table {
  const rows = Object.entries(result.rounds).map(([id, rounds]) => {
    const median = (pick: (round: Round) => number): number => summarise(rounds.map(pick)).median;
    const ratio = ratios(result.rounds, id, UNIT_RIVAL);
    return [
      results.titles[id] ?? id,
      range(summarise(rounds.map((round) => round.cpuUsPerUnit)), 1),
      ratio === null ? "" : range(ratio, 2),
      median((round) => round.unitsPerS).toFixed(0),
      `${(median((round) => round.rivalShare) * 100).toFixed(0)} %`,
      `${(median((round) => round.engineShare) * 100).toFixed(0)} %`,
    ];
  });
  const { unit, title } = result.scenario;
  return {
    title,
    header: [
      "proxy",
      `CPU µs per ${unit}`,
      "× nginx",
      `${unit}s/s`,
      "its core busy",
      "engine's CPU",
    ],
    rows,
  };
}

function nodeToBunTable(results: Results): Table | null {
  const rows: string[][] = [];
  for (const { scenario, rounds } of results.scenarios) {
    const ratio = ratios(rounds, "node", "bun");
    if (ratio !== null) rows.push([scenario.title, range(ratio, 2)]);
  }
  if (rows.length === 0) return null;
  return { title: "Node's CPU as a multiple of Bun's", header: ["scenario", "× Bun"], rows };
}

function openStreamsTable(results: Results): Table | null {
  const rows = Object.entries(results.held).map(([id, held]) => [
    results.titles[id] ?? id,
    `${held.held} of ${held.wanted}`,
    String(held.errors),
    `${(held.rssBeforeBytes / KIB / KIB).toFixed(1)} MiB`,
    `${(held.rssPeakBytes / KIB / KIB).toFixed(1)} MiB`,
    `${(held.rssPerStreamBytes / KIB).toFixed(1)} KiB`,
  ]);
  if (rows.length === 0) return null;
  return {
    title: "Streams open at once at one worker",
    header: ["proxy", "streams", "errors", "RSS before", "RSS at the peak", "RSS per stream"],
    rows,
  };
}

function latencyTable(results: Results): Table | null {
  const { latency } = results;
  if (latency === null) return null;
  const row = (name: string, summary: LatencySummary): string[] => [
    name,
    range(summary.ttftP50Ms, 2),
    range(summary.ttftP99Ms, 2),
    range(summary.itlP50Ms, 2),
    range(summary.itlP99Ms, 2),
  ];
  return {
    title: "Latency added to a direct connection, in ms",
    header: ["path", "TTFT p50", "TTFT p99", "ITL p50", "ITL p99"],
    rows: [
      row("direct (itself)", latency.direct),
      ...Object.entries(latency.added).map(([id, summary]) =>
        row(`+ ${results.titles[id] ?? id}`, summary),
      ),
    ],
  };
}

export function tables(results: Results): Table[] {
  const all = [
    ...results.scenarios.map((scenario) => scenarioTable(scenario, results)),
    nodeToBunTable(results),
    openStreamsTable(results),
    latencyTable(results),
  ];
  return all.filter((table) => table !== null);
}

/** The worst that programs outside the benchmark did to any round, as a share of one core. */
function worstForeignShare(results: Results): number {
  const rounds = results.scenarios.flatMap((scenario) => Object.values(scenario.rounds).flat());
  return Math.max(0, ...rounds.map((round) => round.foreignShare));
}

/** Why fewer streams than planned were open, if the machine forbids more. */
function openStreamsNote(results: Results): string {
  const planned = results.plan.hold.streams;
  const short = Object.values(results.held).find((held) => held.wanted < planned);
  if (short === undefined) return "";
  return (
    `: this machine's hard limit of ${short.descriptorLimit} a process allows\n` +
    `${short.wanted} of the ${planned} streams that the plan asks for`
  );
}

export function plainText(results: Results): string {
  const parts = tables(results).map(({ title, header, rows }) => {
    const widths = header.map((name, column) =>
      Math.max(name.length, ...rows.map((row) => row[column]!.length)),
    );
    const line = (cells: readonly string[]): string =>
      cells
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd();
    return [title, line(header), ...rows.map(line)].join("\n");
  });
  const noise = (worstForeignShare(results) * 100).toFixed(0);
  return `${parts.join("\n\n")}\n\nOther programs used at most ${noise} % of a core in any CPU round.\n`;
}

/** What follows this line in docs/benchmarks.md comes from other commands and is not overwritten. */
const othersFrom = "<!-- Not written by `npm run bench` from here on. -->";

/** The end of the document, which stays unchanged. */
export function kept(document: string): string {
  const at = document.indexOf(othersFrom);
  return at < 0 ? "" : `\n${document.slice(at)}`;
}

export function markdown(results: Results): string {
  const { plan } = results;
  const versions = Object.entries(results.versions).map(([name, version]) => `${name} ${version}`);
  const parts = tables(results).map(({ title, header, rows }) => {
    const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
    const rule = line(header.map((_, column) => (column === 0 ? "---" : "--:")));
    return [`### ${title}`, "", line(header), rule, ...rows.map(line)].join("\n");
  });
  const { streamPace, latency } = plan;
  const chunkMs = streamPace.tickMs * streamPace.buckets;
  const latencyChunkMs = latency.pace.tickMs * latency.pace.buckets;
  const worst = (worstForeignShare(results) * 100).toFixed(0);
  return `# Benchmarks

What a request, a streamed chunk and an open stream cost in the proxy, against nginx; and, further down, how the
policies compare in the lab. Run it on your own machine:

\`\`\`sh
npm run bench                        # everything; \`--json FILE\` keeps the raw rounds
npm run bench -- --short             # seconds: checks that all of it works; its ratios mean nothing
npm run bench -- --rivals nginx,bun,nginx-again --scenarios pd-2k,stream --rounds 9
\`\`\`

It needs Linux and Debian's \`nginx-light\`, \`wrk\` and \`util-linux\`. Bun's part runs if the \`bun\`
package is installed.

- Date: ${results.date}
- Machine: ${results.machine}
- Versions: ${versions.join(", ")}
${results.skipped.map((line) => `- Left out: ${line}\n`).join("")}
This page is written by \`npm run bench -- --write\`; change \`bench/report.ts\`, not this page.

## Method

The unit is Debian's nginx as a plain streaming proxy: one worker, one hop to the decode engine,
\`proxy_buffering off\`, keep-alive on both sides, no P/D. Global Proxy does the whole KV transfer for each request:
prefill, then decode with the \`kv_transfer_params\` of the prefill. So a P/D request is two upstream exchanges against
nginx's one, and 1.0 is out of reach. Its policy is the original's, \`length_balance\`. The rows "prefill queue" use the
defaults, \`predictive\` and \`least_kv\`: there 32 requests at once wait for one prefill engine, and most of the extra
cost is for objects that live longer.

Before anything is measured, the responses of each rival are checked: status, body, all 200 chunks in order and
\`[DONE]\`, the prefill capped to one token, the KV transfer parameters at decode byte for byte. In every round the
engine counts prefills, decodes and KV transfers; a missing one, or any client error, ends the run.

One rival runs at a time, alone on the first core. The engine (pre-rendered responses, one write per chunk) and \`wrk\`
share the second. Each round starts the rival anew, warms it up for ${plan.warmUpS} s under the same load, then
measures for ${plan.roundS} s. Rivals alternate; a ratio is taken within one alternation. The tables give the median of
${plan.rounds} rounds and, in brackets, the lowest and the highest. A round in which other programs used more than
${DISTURBED_SHARE * 100} % of a core is repeated, at
most ${plan.attempts} times; the worst round in these tables had ${worst} %.

CPU is user and system time of all threads of the proxy (of nginx: its worker) from \`/proc\`, divided by the requests
that wrk completed, or by the chunks that the engine sent. The cost of a chunk includes its share of the request's own
cost. Streams have a chunk every ${chunkMs} ms, 64 at a time: well below what a proxy can relay, so that none saves work
by merging chunks.

Memory: RSS of the proxy's processes at the peak, minus RSS after a warm-up, divided by the streams that were open
together, without kernel socket buffers. A proxied stream takes two file descriptors${openStreamsNote(results)}.

Latency: ${latency.concurrency} streams at a time in a closed loop, a chunk every ${latencyChunkMs} ms. The rows after
the first are differences to the direct connection of the same alternation, which goes to the decode engine without a
prefill. The engine's prefill takes no time, so P/D adds the proxy's own work and one more round trip. A difference
smaller than the direct path's own range is noise.

## What the numbers do not mean

- They compare CPU cost of proxies, not speed of a service: with real engines a proxy mostly waits for tokens.
- "Its core busy" well below 100 % means that the load, not the proxy, set the pace; CPU per unit is then slightly
  higher than at full load, since less is done per wake-up. Streams are paced, so it is meant to be low there.
- Two virtual cores of a shared machine: compare ratios, not µs, and not with another day's run.
- One prefill and one decode engine, one client address, no TLS, no access log on either side.

## Results

${parts.join("\n\n")}
`;
}
