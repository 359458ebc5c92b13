/** After a burst the memory must go back, and collecting must not happen again and again. */
import { expect, test } from "vitest";
import { reclaimBytesMax, reclaimBytesMin, reclaimQuietMs } from "../../../src/limits.ts";
import { MemoryReclaimer } from "../../../src/proxy/worker/memory-reclaimer.ts";

function reclaimer() {
  let count = 0;
  const memory = new MemoryReclaimer(() => {
    count += 1;
  });
  return { memory, collections: () => count };
}

test("much garbage is collected once it is quiet, and once only", () => {
  const { memory, collections } = reclaimer();
  memory.released(reclaimBytesMin);
  memory.tick(0);
  memory.tick(reclaimQuietMs - 1);
  expect(collections()).toBe(0);
  memory.tick(reclaimQuietMs);
  memory.tick(10 * reclaimQuietMs);
  expect(collections()).toBe(1);
});

test("a little garbage is left to the runtime", () => {
  const { memory, collections } = reclaimer();
  memory.released(reclaimBytesMin - 1);
  for (let look = 0; look < 10; look += 1) memory.tick(look * reclaimQuietMs);
  expect(collections()).toBe(0);
});

test("what is still referred to when it is too much is collected once it is quiet", () => {
  const { memory, collections } = reclaimer();
  memory.released(reclaimBytesMax);
  memory.tick(0);
  expect(collections()).toBe(1);
  memory.tick(100);
  expect(collections()).toBe(1);
  memory.tick(reclaimQuietMs);
  memory.tick(10 * reclaimQuietMs);
  expect(collections()).toBe(2);
});

test("while more comes it waits, until there is too much", () => {
  const { memory, collections } = reclaimer();
  let bytes = 0;
  for (let look = 0; bytes + reclaimBytesMin < reclaimBytesMax; look += 1) {
    memory.released(reclaimBytesMin);
    bytes += reclaimBytesMin;
    memory.tick(look * 100);
  }
  expect(collections()).toBe(0);
  memory.released(reclaimBytesMin);
  memory.tick(5_000);
  expect(collections()).toBe(1);
});
