/** What is measured, and for how long: the full run and the short one. */

import type { Pace } from "./engine-handle.ts";

export interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly bodyBytes: number;
  readonly stream: boolean;
  readonly connections: number;
  /** What one unit of the CPU figure is. */
  readonly unit: "request" | "chunk";
}

export const SCENARIOS: readonly Scenario[] = [
  {
    id: "pd-2k",
    title: "P/D request, 2 KB body",
    bodyBytes: 2048,
    stream: false,
    connections: 32,
    unit: "request",
  },
  {
    id: "pd-60k",
    title: "P/D request, 60 KB body",
    bodyBytes: 60 * 1024,
    stream: false,
    connections: 32,
    unit: "request",
  },
  {
    id: "stream",
    title: "200-chunk stream, per chunk",
    bodyBytes: 2048,
    stream: true,
    connections: 64,
    unit: "chunk",
  },
];

export interface Plan {
  readonly rounds: number;
  /** Whole seconds, as wrk takes no others. */
  readonly warmUpS: number;
  readonly roundS: number;
  /** How often in all a round is measured when others disturb it. */
  readonly attempts: number;
  /** The pace of streams in the CPU rounds: all streams of a batch get their token in one engine step. */
  readonly streamPace: Pace;
  readonly hold: HoldPlan;
  readonly latency: LatencyPlan;
}

export interface HoldPlan {
  readonly streams: number;
  /** Requests before the memory's first reading, so that a runtime has its code compiled and its pools filled. */
  readonly warmUpStreams: number;
  readonly pace: Pace;
}

export interface LatencyPlan {
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
  readonly concurrency: number;
  readonly pace: Pace;
}

/** Streams as short and fast as the engine can, so that a warm-up has many of them. */
export const WARM_UP_PACE: Pace = { tickMs: 1, buckets: 1, chunks: 20 };

export const FULL: Plan = {
  rounds: 5,
  warmUpS: 3,
  roundS: 5,
  attempts: 4,
  streamPace: { tickMs: 2, buckets: 1, chunks: 200 },
  hold: {
    streams: 10_000,
    warmUpStreams: 500,
    pace: { tickMs: 5, buckets: 100, chunks: 60 },
  },
  latency: {
    rounds: 5,
    roundMs: 5000,
    warmUpMs: 2000,
    concurrency: 32,
    pace: { tickMs: 1, buckets: 10, chunks: 20 },
  },
};

export const SHORT: Plan = {
  rounds: 1,
  warmUpS: 0,
  roundS: 1,
  attempts: 1,
  streamPace: { tickMs: 2, buckets: 1, chunks: 200 },
  hold: {
    streams: 200,
    warmUpStreams: 50,
    pace: { tickMs: 5, buckets: 4, chunks: 60 },
  },
  latency: {
    rounds: 1,
    roundMs: 600,
    warmUpMs: 200,
    concurrency: 8,
    pace: { tickMs: 1, buckets: 5, chunks: 20 },
  },
};
