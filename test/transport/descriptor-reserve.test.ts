/** When descriptors run out, some are there to accept with, and they are taken back only when enough are free. */
import { expect, test } from "vitest";
import { DescriptorReserve } from "../../src/transport/descriptor-reserve.ts";

function start(free: number) {
  const system = { free, open: 0 };
  const open = () => {
    if (system.free === 0) throw new Error("EMFILE");
    system.free -= 1;
    system.open += 1;
    return system.open;
  };
  const close = () => {
    system.free += 1;
    system.open -= 1;
  };
  return { system, reserve: new DescriptorReserve({ kept: 4, free: 10 }, open, close) };
}

test("the reserve is given up when nothing else is left, and taken back when enough is free", () => {
  const { system, reserve } = start(6);
  expect([reserve.look(), reserve.isExhausted, system.open]).toEqual([false, false, 4]);
  system.free = 0;
  expect([reserve.look(), reserve.isExhausted]).toEqual([true, true]);
  expect(system).toEqual({ free: 4, open: 0 });
  system.free = 9;
  expect([reserve.look(), reserve.isExhausted]).toEqual([false, true]);
  expect(system).toEqual({ free: 9, open: 0 });
  system.free = 10;
  expect([reserve.look(), reserve.isExhausted]).toEqual([true, false]);
  expect(system).toEqual({ free: 6, open: 4 });
});

test("a process that starts without any keeps none", () => {
  const { system, reserve } = start(3);
  expect([reserve.look(), reserve.isExhausted]).toEqual([true, true]);
  expect(system).toEqual({ free: 3, open: 0 });
});
