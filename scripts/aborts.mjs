/**
 * Clients that leave in each phase of a request, by FIN, RST and the end of their side alone, over sockets, for each
 * dialect: `npm run test:aborts -- --runtime bun --dialects omni,sglang --count 200`; `--runtime both` for Bun and Node.
 * Says what is held afterwards, how the KV obligations ended, and how long it took from the client's leaving until the
 * proxy had given up each leg. Engines' leases last an hour. Everything is on loopback. Exits with 1 if anything is
 * held that could have been freed, however long it took. `--short` for CI: few clients, the three ways at once, and each
 * dialect on one runtime in turn.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { dialects, Fleet } from "./aborts/fleet.mjs";

const { values } = parseArgs({
  options: {
    runtime: { type: "string", default: "bun" },
    dialects: { type: "string", default: "all" },
    count: { type: "string", default: "200" },
    large: { type: "string", default: "20" },
    together: { type: "string", default: "16" },
    short: { type: "boolean", default: false },
  },
});
const isShort = values.short;
const count = isShort ? 6 : Number(values.count);
const largeCount = isShort ? 0 : Number(values.large);
const together = Number(values.together);
if (!["bun", "node", "both"].includes(values.runtime)) {
  process.stderr.write("aborts: --runtime is bun, node or both\n");
  process.exit(2);
}
if (!(count > 0 && count <= 10_000 && largeCount >= 0 && largeCount <= 1_000 && together <= 100)) {
  process.stderr.write("aborts: --count takes up to 10000, --large up to 1000\n");
  process.exit(2);
}

const prefillMs = 50;
const transferMs = 50;
const promptTokens = 100;
const promptBytes = 4 * promptTokens;
const largeBytes = 6_000_000;
const largeTogether = 4;
const usualSpeed = [
  ...["--prefill-tokens-per-second", `${(1_000 * promptTokens) / prefillMs}`],
  ...["--batch-penalty-ms", "0", "--itl-ms", "5", "--kv-transfer-ms", `${transferMs}`],
];
const largeSpeed = [
  ...["--prefill-tokens-per-second", "0", "--batch-penalty-ms", "0"],
  ...["--itl-ms", "5", "--max-model-len", "100000000"],
];

/** How a client leaves. */
const leaves = {
  FIN: (socket) => socket.destroy(),
  RST: (socket) => socket.resetAndDestroy(),
  "half-close": (socket) => socket.end(),
};

/** Those that clients of one cell take, in turn. */
const ways = isShort
  ? { "FIN, RST, half-close": Object.values(leaves) }
  : Object.fromEntries(Object.entries(leaves).map(([name, leave]) => [name, [leave]]));

/** So long is waited until a leg is given up. */
const giveUpMsMax = 30_000;

/** "From abort to both legs cancelled" of an idle machine, in ms. */
const p99MsIdle = 50;

/** When a client leaves: the event that starts the clock, and what the wires hold back meanwhile. */
const phases = {
  "body arrives": { at: "half-sent" },
  "prefill runs": { at: "prefill.forwarded", withinMs: prefillMs },
  "prefill responds": { at: "prefill.responds", holdPrefillResponseMs: 20 },
  "decode is asked": { at: "decode.requested", holdDecodeRequestMs: 20 },
  "decode waits": { at: "decode.forwarded", withinMs: transferMs },
  stream: { at: "first-token", withinMs: 100 },
};
/** How long a leg is given up late is not to be seen while its wire does not read. */
const largePhases = {
  "large request": { at: "decode.requested", holdDecodeRequestMs: 100, isTimed: false },
};

let number = 0;

function requestBytes(of, bytes) {
  const text = `abort ${of} `.padEnd(bytes, "word ");
  const user = `abort-${of}-`;
  const body = JSON.stringify({
    user,
    model: "simulated",
    prompt: text,
    max_tokens: 200,
    stream: true,
  });
  const head = "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
  return `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** One client. Resolves with ms until both legs were given up (NaN = none was under way), or undefined = it was served. */
function abort(fleet, phase, leave, bytes) {
  number += 1;
  const of = number;
  const request = requestBytes(of, bytes);
  return new Promise((resolve) => {
    const socket = connect({
      port: fleet.port,
      host: "127.0.0.1",
      noDelay: true,
      allowHalfOpen: true,
    });
    let isOver = false;
    const end = (result) => {
      waiting.delete(of);
      if (result === undefined) socket.destroy();
      setTimeout(() => {
        socket.destroy();
        for (const wire of [fleet.prefill, fleet.decode]) wire.forget(of);
        resolve(result);
      }, 50);
    };
    const go = async () => {
      if (isOver) return;
      isOver = true;
      const legs = [fleet.prefill.openLeg(of), fleet.decode.openLeg(of)].filter(Boolean);
      const leftMs = performance.now();
      leave(socket);
      const late = sleep(giveUpMsMax, Number.POSITIVE_INFINITY, { ref: false });
      const ends = await Promise.race([late, Promise.all(legs.map(({ over }) => over))]);
      const given = Array.isArray(ends) ? ends.filter((ms) => !Number.isNaN(ms)) : [ends];
      end(given.length === 0 ? Number.NaN : Math.max(...given) - leftMs);
    };
    const trigger = () => setTimeout(go, Math.random() * (phase.withinMs ?? 0));
    waiting.set(of, { at: phase.at, trigger });
    socket.on("connect", () => {
      if (phase.at !== "half-sent") socket.write(request);
      else socket.write(request.slice(0, request.length >> 1), trigger);
    });
    socket.on("data", (chunk) => {
      if (phase.at === "first-token" && chunk.includes("data: {")) waiting.get(of)?.trigger();
    });
    const served = () => {
      if (isOver) return;
      isOver = true;
      end(undefined);
    };
    socket.on("end", served);
    socket.on("error", served);
    setTimeout(served, 20_000).unref();
  });
}

/** Clients that have not left yet, by their number. */
const waiting = new Map();

function listen(fleet) {
  for (const name of ["prefill", "decode"]) {
    const on = (event) => (of) => {
      const one = waiting.get(of);
      if (one?.at !== `${name}.${event}`) return;
      waiting.delete(of);
      one.trigger();
    };
    const [requested, forwarded, responds] = ["requested", "forwarded", "responds"].map(on);
    fleet[name].on = { requested, forwarded, responds };
  }
}

/** Waits until nothing is under way, and, where it comes to that, nothing is held that was not counted as leaked. */
async function settled(fleet, leakedBefore) {
  let states;
  for (let i = 0; i < 150; i += 1) {
    states = await fleet.states();
    const { prefill, decode, kv } = states;
    const busy = [prefill, decode].reduce(
      (sum, { running, waiting: queued, rendezvousWaiting }) =>
        sum + running + queued + rendezvousWaiting,
      kv.open,
    );
    const leaked = kv.ended.leaked - leakedBefore;
    if (busy === 0 && (prefill.held + decode.held <= leaked || i > 20)) break;
    await sleep(100);
  }
  return states;
}

async function runCell(fleet, phase, way, times, bytes) {
  fleet.prefill.holdResponseMs = phase.holdPrefillResponseMs ?? 0;
  fleet.decode.holdRequestMs = phase.holdDecodeRequestMs ?? 0;
  const before = await fleet.states();
  const results = [];
  let left = times;
  const client = async () => {
    for (; left > 0; ) {
      left -= 1;
      const leave = ways[way][left % ways[way].length];
      results.push(await abort(fleet, phase, leave, bytes));
    }
  };
  await Promise.all(
    Array.from(
      { length: Math.min(bytes === largeBytes ? largeTogether : together, times) },
      client,
    ),
  );
  const after = await settled(fleet, before.kv.ended.leaked);
  const ended = {};
  for (const [end, total] of Object.entries(after.kv.ended)) {
    const more = total - before.kv.ended[end];
    if (more > 0) ended[end] = more;
  }
  const violations = [after.prefill, after.decode].flatMap((state) => state.violations);
  const held = after.prefill.held + after.decode.held;
  if (held > 0) await fleet.endLeases();
  const struck = results.filter((ms) => ms !== undefined);
  return { struck, held, ended, open: after.kv.open, violations };
}

function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function timesOf(all) {
  const sorted = all.filter(Number.isFinite).sort((a, b) => a - b);
  const [p50, p99] = [percentile(sorted, 0.5), percentile(sorted, 0.99)];
  return `p50 ${p50.toFixed(1)} p99 ${p99.toFixed(1)} ms of ${sorted.length}`;
}

const folder = mkdtempSync(join(tmpdir(), "global-proxy-aborts-"));
const chosen = values.dialects === "all" ? dialects : values.dialects.split(",");
const everyMs = { bun: [], node: [] };
let failures = 0;

function report(where, runtime, { struck, held, ended, open, violations }, times, isTimed) {
  const late = struck.filter((ms) => ms === Number.POSITIVE_INFINITY).length;
  const leaked = ended.leaked ?? 0;
  const isWrong = held > leaked || open > 0 || late > 0 || violations.length > 0;
  if (isWrong) failures += 1;
  if (isTimed) everyMs[runtime].push(...struck);
  const parts = [
    `${where} on ${runtime}: ${struck.length} of ${times} left, ${held} held`,
    JSON.stringify(ended),
    ...(isTimed ? [timesOf(struck)] : []),
    ...(late > 0 ? [`${late} legs not given up in ${giveUpMsMax / 1_000} s`] : []),
    ...(open > 0 ? [`${open} obligations open`] : []),
    ...new Set(violations),
  ];
  process.stdout.write(`${isWrong ? "WRONG " : ""}${parts.join("; ")}\n`);
}

async function runFleet(dialect, runtime, speed, of, times, bytes) {
  const fleet = await Fleet.start({ dialect, runtime, folder, speed });
  try {
    listen(fleet);
    for (const [name, phase] of Object.entries(of)) {
      for (const way of Object.keys(ways)) {
        const cell = await runCell(fleet, phase, way, times, bytes);
        report(`${dialect}, ${name}, ${way}`, runtime, cell, times, phase.isTimed ?? true);
      }
    }
  } finally {
    await fleet.stop();
  }
}

const runtimes = values.runtime === "both" || isShort ? ["bun", "node"] : [values.runtime];
const runs = chosen.flatMap((dialect, i) =>
  (isShort ? [runtimes[i % 2]] : runtimes).map((runtime) => ({ dialect, runtime })),
);

async function runNext() {
  for (let run = runs.shift(); run !== undefined; run = runs.shift()) {
    const { dialect, runtime } = run;
    await runFleet(dialect, runtime, usualSpeed, phases, count, promptBytes);
    if (largeCount === 0) continue;
    await runFleet(dialect, runtime, largeSpeed, largePhases, largeCount, largeBytes);
  }
}

try {
  // Two at a time where times do not matter.
  await Promise.all(isShort ? [runNext(), runNext()] : [runNext()]);
  for (const [runtime, ms] of Object.entries(everyMs)) {
    if (ms.length === 0) continue;
    process.stdout.write(
      `${ms.length} aborts on ${runtime}, until both legs are given up: ${timesOf(ms)} ` +
        `(to be measured on an idle machine: p99 at most ${p99MsIdle} ms)\n`,
    );
  }
  process.stdout.write(`${failures === 0 ? "nothing is left" : `${failures} cells FAILED`}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failures === 0 ? 0 : 1);
