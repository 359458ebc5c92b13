/**
 * The lab's engines and the simulated engine (`global-proxy engine`) share no code: told the same times, they take the
 * same time.
 */
import { expect, it } from "vitest";
import { DecodeEngine } from "../../src/lab/model/decode-engine.ts";
import { PrefillEngine } from "../../src/lab/model/prefill-engine.ts";
import { Timeline } from "../../src/lab/model/timeline.ts";
import { dense70b } from "../../src/lab/profile.ts";
import { Scheduler } from "../../src/simulated-engine/core/scheduler.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";

const timing = {
  prefillTokensPerSecond: 4000,
  itlMs: 20,
  batchPenaltyMs: 0.5,
  jitter: 0,
  seed: 1,
};
const profile = {
  ...dense70b,
  prefillBaseMs: 0,
  prefillTokenMs: 0.25,
  prefillPairMs: 0,
  stepBaseMs: 19.5,
  stepRequestMs: 0.5,
  stepKvTokenMs: 0,
};

const random = seededRandom(3);
let lastMs = 0;
const jobs = Array.from({ length: 500 }, () => {
  lastMs += -Math.log(1 - random()) * 300;
  const inputTokens = 1 + Math.floor(random() * 2000);
  return {
    arrivalMs: lastMs,
    inputTokens,
    outputTokens: 2 + Math.floor(random() * 400),
    blocks: [],
  };
});

/** The simulated engine's scheduler on the lab's clock. */
function scheduler(timeline: Timeline): Scheduler {
  const after = (delayMs: number, run: () => void) => {
    let isDue = true;
    timeline.at(timeline.nowMs + delayMs, () => {
      if (isDue) run();
    });
    return () => {
      isDue = false;
    };
  };
  return new Scheduler({ now: () => timeline.nowMs, wallMs: () => timeline.nowMs, after }, timing);
}

/** Runs each job when it arrives. @returns when each of them ended */
function ends(submit: (timeline: Timeline) => (job: (typeof jobs)[0], done: () => void) => void) {
  const timeline = new Timeline();
  const start = submit(timeline);
  const endedMs: number[] = [];
  jobs.forEach((job, i) => {
    timeline.at(job.arrivalMs, () => start(job, () => (endedMs[i] = timeline.nowMs)));
  });
  timeline.run();
  return endedMs;
}

it("prefills end when those of the simulated engine do", () => {
  const lab = ends((timeline) => {
    const engine = new PrefillEngine(timeline, profile, 1, () => 1);
    return (request, done) => engine.submit({ request, done });
  });
  const simulated = ends((timeline) => {
    const engine = scheduler(timeline);
    return ({ inputTokens: tokens }, onDone) => engine.prefill({ tokens, onStart() {}, onDone });
  });
  expect(lab).toHaveLength(jobs.length);
  lab.forEach((atMs, i) => void expect(atMs).toBeCloseTo(simulated[i]!, 3));
});

it("decodes end within a step of those of the simulated engine, and take as long on average", () => {
  const lab = ends((timeline) => {
    const engine = new DecodeEngine(timeline, profile);
    return (job, done) => engine.submit({ ...job, firstToken() {}, progressed() {}, done });
  });
  const simulated = ends((timeline) => {
    const engine = scheduler(timeline);
    return ({ outputTokens }, done) => {
      let left = outputTokens;
      engine.join({
        step() {
          left -= 1;
          if (left === 0) done();
          return left > 0;
        },
      });
    };
  });
  const mean = (endedMs: readonly number[]) =>
    endedMs.reduce((sum, atMs, i) => sum + atMs - jobs[i]!.arrivalMs, 0) / jobs.length;
  // That engine lets a newcomer have the token of the step under way: half a step, on average.
  const stepMs = timing.itlMs + timing.batchPenaltyMs * 20;
  expect(mean(lab) - mean(simulated)).toBeGreaterThan(0);
  expect(mean(lab) - mean(simulated)).toBeLessThan(2 * stepMs);
  expect(mean(lab) / mean(simulated)).toBeLessThan(1.02);
  lab.forEach((atMs, i) => {
    expect(Math.abs(atMs - simulated[i]!)).toBeLessThan(4 * stepMs);
  });
});
