/** The rig's side of the engine: starts it, sets its pace, reads its counts. */

import { request } from "node:http";
import { fileURLToPath } from "node:url";
import { LOAD_CORE, type Started, sleep, start } from "./process.ts";

export interface EngineCounts {
  readonly prefill: number;
  readonly prefillWrong: number;
  readonly decode: number;
  readonly decodeWithoutKv: number;
  readonly streams: number;
  readonly chunks: number;
  readonly openStreams: number;
  readonly peakStreams: number;
  readonly lateTicks: number;
  readonly connections: number;
}

export interface Pace {
  readonly tickMs: number;
  /** Streams take turns in so many groups, one group per tick: a stream's chunks are `tickMs * buckets` apart. */
  readonly buckets: number;
  readonly chunks: number;
}

export interface Engine {
  readonly pid: number;
  readonly prefillPort: number;
  readonly decodePort: number;
  readonly prefillUrl: string;
  readonly decodeUrl: string;
  reset(): Promise<void>;
  count(): Promise<EngineCounts>;
  setPace(pace: Pace): Promise<void>;
  record(on: boolean): Promise<void>;
  lastBodies(): Promise<{ prefill: string; decode: string }>;
  /** Resolves when no stream is open and no request arrives any more. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

const IDLE_LIMIT_MS = 60_000;
const IDLE_POLL_MS = 50;
/** A proxy that must share its core goes on with requests of clients that have left for so long. */
const IDLE_QUIET_MS = 200;

/** @param runtime the program that runs the engine: bun's sockets cost less, node's are everywhere. */
export async function startEngine(runtime: string): Promise<Engine> {
  const started = start(LOAD_CORE, runtime, [
    fileURLToPath(new URL("./engine.js", import.meta.url)),
  ]);
  const { prefillPort, decodePort } = await ports(started);
  const get = (path: string): Promise<string> => getText(decodePort, path);
  const count = async (): Promise<EngineCounts> => JSON.parse(await get("/count")) as EngineCounts;
  return {
    pid: started.pid,
    prefillPort,
    decodePort,
    prefillUrl: `http://127.0.0.1:${prefillPort}`,
    decodeUrl: `http://127.0.0.1:${decodePort}`,
    reset: async () => void (await get("/reset")),
    count,
    setPace: async (pace) =>
      void (await get(`/pace?tickMs=${pace.tickMs}&buckets=${pace.buckets}&chunks=${pace.chunks}`)),
    record: async (on) => void (await get(`/record?on=${on ? 1 : 0}`)),
    lastBodies: async () => JSON.parse(await get("/last")) as { prefill: string; decode: string },
    idle: async () => {
      const giveUpMs = performance.now() + IDLE_LIMIT_MS;
      let before = await count();
      for (let quietMs = 0; quietMs < IDLE_QUIET_MS || before.openStreams > 0; ) {
        if (performance.now() > giveUpMs) throw new Error("the engine stays busy after the load");
        await sleep(IDLE_POLL_MS);
        const now = await count();
        const same = now.prefill + now.decode === before.prefill + before.decode;
        quietMs = same ? quietMs + IDLE_POLL_MS : 0;
        before = now;
      }
    },
    stop: () => started.stop(),
  };
}

function ports(started: Started): Promise<{ prefillPort: number; decodePort: number }> {
  return new Promise((resolve, reject) => {
    started.child.once("exit", () => reject(new Error(`engine ended: ${started.output()}`)));
    started.child.stdout!.once("data", (line: Buffer) => {
      resolve(JSON.parse(line.toString()) as { prefillPort: number; decodePort: number });
    });
  });
}

function getText(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const req = request({ host: "127.0.0.1", port, path, agent: false }, (res) => {
      let text = "";
      res.setEncoding("utf8");
      res.on("data", (part: string) => {
        text += part;
      });
      res.on("end", () => resolve(text));
    });
    req.on("error", reject);
    req.end();
  });
}
