/** More workers than the runtime can run would leave ports without a listener. */
import { expect, test } from "vitest";
import { countWorkers, knowsReusePort } from "../../../src/config/check/runtime.ts";

test("SO_REUSEPORT came with Node 22.12 and 23.1", () => {
  const versions = ["20.20.2", "22.11.0", "22.12.0", "23.0.0", "23.1.0", "24.0.0"];
  expect(versions.filter(knowsReusePort)).toEqual(["22.12.0", "23.1.0", "24.0.0"]);
});

test("auto is one worker per core if they can share a port", () => {
  const runtime = { name: "Bun", version: "1", sharedPorts: true, cores: 8 } as const;
  expect(countWorkers("auto", runtime)).toBe(8);
  expect(countWorkers("auto", { ...runtime, cores: 256 })).toBe(64);
  expect(countWorkers("auto", { ...runtime, sharedPorts: false })).toBe(1);
  expect(countWorkers(3, runtime)).toBe(3);
});
