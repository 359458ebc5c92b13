/** `kv-events`: whether an engine publishes what its cache gains, in what form, and replays what was missed. */
import { setTimeout as delay } from "node:timers/promises";
import { isFailure } from "../../control/polling/request-once.ts";
import { readKvBatch } from "../../kv-events/batch.ts";
import type { KvEndpoint } from "../../kv-events/feed.ts";
import { kvBatchBytesMax } from "../../limits.ts";
import type { KvEvent } from "../../prefix-cache/kv-event.ts";
import { ZmtpClient } from "../../transport/zmtp/client.ts";
import type { Check, CheckContext, CheckedEngine } from "../context.ts";
import { comparedPairsMax, countersAgainMs } from "../limits.ts";
import { checkPrompt } from "../prompts.ts";
import { errorOf } from "../responses.ts";

export const kvEvents: Check = {
  name: "kv-events",
  needs: "proxy",
  async run(context) {
    const publishers = context.engines.filter(({ role, isUp }) => role !== "decode" && isUp);
    const asked = publishers.filter((engine) => engine.kvEvents !== undefined);
    for (const engine of asked.slice(0, comparedPairsMax)) await listen(context, engine);
    for (const engine of publishers.filter((one) => one.kvEvents === undefined)) {
      reportUnasked(context, engine);
    }
  },
};

function reportUnasked(context: CheckContext, engine: CheckedEngine): void {
  const shown = engine.facts?.kvEvents;
  if (shown === undefined) {
    const message = "not tried: --kv-events PORT[:REPLAY_PORT] says where engines publish";
    context.report("skip", "kv-events.not-asked", engine, message);
    return;
  }
  const { endpoint, replayEndpoint } = shown;
  const portOf = (text: string) => /:(\d+)$/.exec(text)?.[1];
  const replay = replayEndpoint === undefined ? "" : `:${portOf(replayEndpoint)}`;
  const message = `it publishes KV events at ${endpoint}, which nobody listens to`;
  const remedy = `try them with --kv-events ${portOf(endpoint)}${replay} (docs/kv-events.md)`;
  context.report("ok", "kv-events.unused", engine, message, { remedy });
}

interface Batch {
  readonly topic: string;
  readonly seq: number;
  readonly payload: Buffer;
}

/** A message of a publisher: topic, number, batch; a replay has an empty part before. Undefined = it is none. */
function batchOf(parts: readonly Buffer[]): Batch | undefined {
  const [number, payload] = parts.slice(-2);
  if (number?.length !== 8 || payload === undefined) return undefined;
  const topic = parts.at(-3)?.toString("latin1") ?? "";
  return { topic, seq: Number(number.readBigInt64BE()), payload };
}

async function listen(context: CheckContext, engine: CheckedEngine): Promise<void> {
  const { host, port, topic } = engine.kvEvents!;
  const heard: Batch[] = [];
  let isConnected = false;
  let why = "there was no connection";
  const subscriber = new ZmtpClient(
    { type: "SUB", host, port, topic, messageBytesMax: kvBatchBytesMax },
    {
      connected: () => {
        isConnected = true;
      },
      message: (parts) => {
        const batch = batchOf(parts);
        if (batch !== undefined) heard.push(batch);
      },
      lost: (reason) => {
        why = reason;
      },
    },
  );
  subscriber.open();
  try {
    if (!(await until(context, () => isConnected))) {
      const message = `nothing publishes at ${host}:${port}: ${why}`;
      const remedy =
        'is it the port of "endpoint" in --kv-events-config, are the events enabled, ' +
        'and does it bind an address that is reached from here ("tcp://*:PORT")?';
      context.report("fail", "kv-events.unreachable", engine, message, { remedy });
      return;
    }
    // The subscription has to arrive before the batch is published.
    await delay(countersAgainMs);
    const problem = await fill(context, engine);
    if (problem !== undefined) {
      context.report("fail", "kv-events.no-prompt", engine, `no prompt was computed: ${problem}`);
      return;
    }
    if (await until(context, () => heard.length > 0)) {
      // What belongs to the same prompt may come in several batches.
      await delay(countersAgainMs);
      reportHeard(context, engine, heard);
      await replay(context, engine, heard.at(-1)!);
    } else {
      const message = `${host}:${port} published nothing after a fresh prompt`;
      const remedy =
        'is "enable_kv_cache_events" true, prefix caching on, and the topic right? It listens to ' +
        (topic === "" ? "all topics" : `the topic "${topic}"`);
      context.report("fail", "kv-events.silent", engine, message, { remedy });
    }
  } finally {
    subscriber.close();
  }
}

/** Has the engine compute a fresh prompt. @returns what went wrong */
async function fill(context: CheckContext, engine: CheckedEngine): Promise<string | undefined> {
  const pair = context.pairs.find((one) => (one.prefill ?? one.decode) === engine);
  if (pair === undefined) return "it is in no pair that is looked at";
  const prompt = checkPrompt(context);
  const json = { model: context.model, prompt, max_tokens: 2, temperature: 0 };
  const answer = await context.ask(pair.address, { path: "/v1/completions", json });
  if (isFailure(answer)) return answer.why;
  return answer.status === 200 ? undefined : errorOf(answer);
}

function reportHeard(context: CheckContext, engine: CheckedEngine, heard: readonly Batch[]): void {
  const events: KvEvent[] = [];
  for (const { payload } of heard) {
    const batch = readKvBatch(payload);
    if (typeof batch === "string") {
      const message = `a batch is not understood: ${batch}`;
      const remedy = "the proxy cannot follow this engine; it estimates what is cached there";
      context.report("fail", "kv-events.unknown", engine, message, { remedy });
      return;
    }
    events.push(...batch.events);
  }
  const seqs = heard.map(({ seq }) => seq);
  const [first, last] = [seqs[0]!, seqs.at(-1)!];
  const gaps = seqs.filter((seq, i) => i > 0 && seq !== seqs[i - 1]! + 1).length;
  const stored = events.find((event) => event.type === "stored");
  const topic = heard[0]!.topic;
  const blocks = stored === undefined ? "no block" : `blocks of ${stored.blockTokens} tokens`;
  const hashes = stored === undefined ? "" : `, named by ${kindOf(stored.hashes[0])}`;
  const number = first === last ? `batch ${first}` : `batches ${first} to ${last}`;
  const message = `it publishes ${blocks}${hashes}; ${topic === "" ? "no topic" : `topic "${topic}"`}, ${number}`;
  const data = { topic, firstSeq: first, lastSeq: last, gaps, blockTokens: stored?.blockTokens };
  if (gaps === 0) {
    context.report("ok", "kv-events.heard", engine, `${message}, no gap`, { data });
    return;
  }
  const remedy = "batches are lost on the way: raise hwm of --kv-events-config";
  context.report("warn", "kv-events.gaps", engine, `${message}, ${gaps} gaps`, { remedy, data });
}

function kindOf(hash: unknown): string {
  return typeof hash === "string" ? `hashes of ${hash.length} bytes` : "numbers of 64 bits";
}

async function replay(context: CheckContext, engine: CheckedEngine, last: Batch): Promise<void> {
  const { host, replayPort } = engine.kvEvents as KvEndpoint;
  const withoutReplay =
    "set replay_endpoint and a large buffer_steps in --kv-events-config, and --kv-events PORT:REPLAY_PORT: " +
    "without it, a restart of the proxy or one lost batch leaves it blind";
  if (replayPort === 0) {
    const message = "no port for replays is given";
    context.report("warn", "kv-events.no-replay", engine, message, { remedy: withoutReplay });
    return;
  }
  const replayed: Batch[] = [];
  let isAnswered = false;
  let why = "there was no answer";
  const start = Buffer.alloc(8);
  start.writeBigInt64BE(BigInt(last.seq));
  const asking = new ZmtpClient(
    { type: "DEALER", host, port: replayPort, messageBytesMax: kvBatchBytesMax },
    {
      connected: () => asking.send([Buffer.alloc(0), start]),
      message: (parts) => {
        const batch = batchOf(parts);
        if (batch === undefined || batch.seq < 0) isAnswered = true;
        else replayed.push(batch);
      },
      lost: (reason) => {
        why = reason;
      },
    },
  );
  asking.open();
  const hasEnded = await until(context, () => isAnswered);
  asking.close();
  const [first] = replayed;
  if (!hasEnded && first === undefined) {
    const message = `nothing is replayed at ${host}:${replayPort}: ${why}`;
    context.report("fail", "kv-events.replay-unreachable", engine, message, {
      remedy: withoutReplay,
    });
  } else if (first?.seq === last.seq && first.payload.equals(last.payload)) {
    const message = `batch ${last.seq} is replayed as it was published`;
    context.report("ok", "kv-events.replayed", engine, message);
  } else {
    const what = first === undefined ? "nothing" : `batch ${first.seq}`;
    const message = `asked for batch ${last.seq}, it replays ${what}`;
    const remedy = "raise buffer_steps of --kv-events-config";
    context.report("fail", "kv-events.replay-short", engine, message, { remedy });
  }
}

/** @returns whether it came true within a step */
async function until(context: CheckContext, isTrue: () => boolean): Promise<boolean> {
  const untilMs = context.clock.nowMs() + Math.min(context.bounds.stepMs, context.leftMs);
  while (!isTrue()) {
    if (context.clock.nowMs() >= untilMs) return false;
    await delay(10);
  }
  return true;
}
