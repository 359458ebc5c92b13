/** A collector that is slow, wrong or away costs spans, which are counted: never memory, and never the end. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SendSpans, SpanData } from "../../../src/observe/traces/span.ts";
import { SpanExports } from "../../../src/observe/traces/span-exports.ts";

const config = {
  endpoint: "http://user:secret@collector:4318/",
  sampleRatio: 1,
  slowMs: 0,
  headers: {},
  serviceName: "x",
};
const spans = (count: number) => new Array<SpanData>(count).fill({ name: "s" } as SpanData);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function exportsTo(send: SendSpans) {
  const said: string[] = [];
  const say = (message: string) => void said.push(message);
  const exporter = new SpanExports({ warn: say, notice: say }, async () => send);
  exporter.use(config);
  return { exporter, said };
}

test("spans wait for each other, and go out in batches one after the other", async () => {
  const sizes: number[] = [];
  const { exporter } = exportsTo(async (batch) => {
    sizes.push(batch.length);
    return undefined;
  });
  for (let i = 0; i < 3; i += 1) exporter.add({ spans: spans(200), dropped: 0 });
  exporter.add({ spans: spans(1), dropped: 0 });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(601);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(512);
});

test("a collector that hangs fills a bound, says so once, and holds up no end", async () => {
  const { exporter, said } = exportsTo(() => new Promise(() => {}));
  for (let i = 0; i < 100; i += 1) exporter.add({ spans: spans(1_000), dropped: 1 });
  expect(exporter.dropped).toBeGreaterThan(90_000);
  expect(said).toEqual([expect.stringMatching(/^spans are dropped/)]);
  let isOver = false;
  void exporter.flush(2_000).then(() => {
    isOver = true;
  });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(isOver).toBe(true);
});

test("a failure is said once, without the collector's password, and so is its end", async () => {
  let problem: string | undefined = "refused";
  const { exporter, said } = exportsTo(async () => problem);
  for (let i = 0; i < 3; i += 1) {
    exporter.add({ spans: spans(1), dropped: 0 });
    await vi.advanceTimersByTimeAsync(1_000);
  }
  expect(said[0]).toMatch(/^spans cannot be exported to http:\/\/collector:4318: refused; /);
  expect(said.join()).not.toContain("secret");
  expect(said.filter((line) => line.includes("cannot be exported"))).toHaveLength(1);
  expect(exporter.dropped).toBe(3);
  problem = undefined;
  exporter.add({ spans: spans(1), dropped: 0 });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(said.at(-1)).toBe("the collector takes spans again");
});

test("an exporter that cannot be loaded is a line in the log", async () => {
  const said: string[] = [];
  const say = (message: string) => void said.push(message);
  const exporter = new SpanExports({ warn: say, notice: say }, async () => {
    throw new Error("no such file");
  });
  exporter.use(config);
  exporter.add({ spans: spans(1), dropped: 0 });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(said.join()).toContain("no such file");
});
