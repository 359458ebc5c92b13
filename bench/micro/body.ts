/**
 * What it costs to find the members of a body, to splice it for prefill, and to name the blocks of its prompt, against
 * JSON.parse and JSON.stringify.
 *
 *   npx bun bench/micro/body.ts
 *   npx bun build bench/micro/body.ts --target=node --outfile=/tmp/bench-body.mjs && node /tmp/bench-body.mjs
 */

import { Edits } from "../../src/body/edit/splice.ts";
import { scanTopLevel, TopLevel } from "../../src/body/json/top-level.ts";
import { promptBlocks } from "../../src/body/prompt/prompt-blocks.ts";
import { systemIds } from "../../src/dialects/shared/id-generator.ts";
import { omni } from "../../src/dialects/vllm-ascend/omni.ts";
import { promptBlockBytes, promptBlocksMax } from "../../src/limits.ts";

const kib = 1024;
const roundMs = 200;
const rounds = 7;

const engine = { host: "127.0.0.1", port: 1, dpRank: -1, attributes: {} };
const engines = { prefill: engine, decode: engine };
const path = "/v1/chat/completions";

const prose = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all. ";
const code = `  if (name === "x") { log("a\\n"); }\n\treturn { "key": '\\\\', value: "v" };\n`;

function body(fields: object): Buffer {
  return Buffer.from(
    JSON.stringify({ model: "llama", ...fields, max_tokens: 256, temperature: 0.7, stream: true }),
  );
}

function chat(text: string, bytes: number, messageBytes: number): Buffer {
  const content = text.repeat(Math.ceil(messageBytes / text.length)).slice(0, messageBytes);
  const messages = Array.from({ length: Math.ceil(bytes / (messageBytes + 40)) }, (_, i) => ({
    role: i % 2 ? "assistant" : "user",
    content,
  }));
  return body({ messages, stream_options: { include_usage: true } });
}

function prompt(text: string, bytes: number): Buffer {
  return body({ prompt: text.repeat(Math.ceil(bytes / text.length)) });
}

const cases: Record<string, Buffer> = {
  "2 KiB chat": chat(prose, 2 * kib, 300),
  "60 KiB plain prompt": prompt(prose, 60 * kib),
  "60 KiB code prompt": prompt(code, 55 * kib),
  "60 KiB chat, messages of 300 B": chat(prose, 60 * kib, 300),
  "60 KiB chat, messages of 40 B": chat(prose, 60 * kib, 40),
  "60 KiB chat of code": chat(code, 50 * kib, 1000),
  "60 KiB of escaped quotes": prompt('"', 30 * kib),
  "60 KiB of token ids": body({ prompt: Array.from({ length: 10_500 }, (_, i) => 10_000 + i) }),
  "100 KB plain prompt": prompt(prose, 100_000),
  "100 KB chat, messages of 300 B": chat(prose, 100_000, 300),
  "4 MiB plain prompt": prompt(prose, 4096 * kib),
  "4 MiB chat of code": chat(code, 4096 * kib, 4000),
};

const members = new TopLevel();
const edits = new Edits();
const out = Buffer.alloc(8192 * kib);

function scan(bytes: Buffer): void {
  if (scanTopLevel(bytes, 0, bytes.length, members) !== undefined) throw new Error("not JSON");
}

function splice(bytes: Buffer): void {
  scan(bytes);
  edits.start(members);
  omni
    .beginTransfer({ members, path, requestId: "bench", ids: systemIds })
    .prefillEdits(edits, engines);
  edits.writeTo(out, 0);
}

const blocks: number[] = [];

/** Of a body that was scanned for another reason. */
function nameBlocks(): void {
  blocks.length = 0;
  promptBlocks(members, promptBlockBytes, promptBlocksMax, blocks);
}

function reserialise(bytes: Buffer): void {
  const object = JSON.parse(bytes.toString());
  object.max_tokens = 1;
  object.stream = false;
  delete object.stream_options;
  out.write(JSON.stringify(object), 0);
}

/** Microseconds per call: the least of some rounds, since all noise adds. */
function measure(run: (bytes: Buffer) => void, bytes: Buffer): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const from = performance.now();
    let calls = 0;
    let spentMs = 0;
    do {
      for (let i = 0; i < 10; i++) run(bytes);
      calls += 10;
      spentMs = performance.now() - from;
    } while (spentMs < roundMs / rounds);
    best = Math.min(best, (spentMs * 1000) / calls);
  }
  return best;
}

// All shapes run once before any is measured, so that the compiler has seen what production shows it.
for (const bytes of Object.values(cases)) {
  for (let i = 0; i < 50; i++) {
    splice(bytes);
    nameBlocks();
  }
}

const runtime = process.versions["bun"] ? `bun ${process.versions["bun"]}` : process.version;
const row = (...cells: string[]): string =>
  cells.map((cell, i) => (i ? cell.padStart(16) : cell.padEnd(32))).join("");
const lines = [row(runtime, "bytes", "scan µs", "scan+splice µs", "blocks µs", "parse+write µs")];
for (const [name, bytes] of Object.entries(cases)) {
  const times = [scan, splice, nameBlocks, reserialise].map((run) =>
    measure(run, bytes).toFixed(1),
  );
  lines.push(row(name, String(bytes.length), ...times));
}
process.stdout.write(`${lines.join("\n")}\n`);
