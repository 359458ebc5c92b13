/** Small helpers of the configuration: nearest words, runtimes, engine addresses. */
import { expect, test } from "vitest";
import { parseEngineUrl } from "../../src/config/engine-url.ts";
import { countWorkers, knowsReusePort } from "../../src/config/runtime.ts";
import { nearestWord } from "../../src/config/suggest.ts";
import { parseAddress } from "../../src/fleet/address.ts";

test.each([
  ["lenght_balance", ["least_conn", "length_balance"], "length_balance"],
  ["enginess", ["engines", "policy"], "engines"],
  ["Engines", ["engines"], "engines"],
  ["warning", ["warn", "error"], "warn"],
  ["keepalive_timeot", ["keepalive", "keepalive_timeout"], "keepalive_timeout"],
  ["pot", ["port", "host"], "port"],
  ["xyz", ["port", "host"], undefined],
  ["", ["port"], undefined],
])("%s is meant to be one of %j: %s", (word, known, expected) => {
  expect(nearestWord(word, known)).toBe(expected);
});

test("SO_REUSEPORT came with Node 22.12 and 23.1", () => {
  const versions = ["20.20.2", "22.11.0", "22.12.0", "23.0.0", "23.1.0", "24.0.0"];
  expect(versions.filter(knowsReusePort)).toEqual(["22.12.0", "23.1.0", "24.0.0"]);
});

test("auto is one worker per core where they can share a port", () => {
  const runtime = { name: "Bun", version: "1", sharedPorts: true, cores: 8 } as const;
  expect(countWorkers("auto", runtime)).toBe(8);
  expect(countWorkers("auto", { ...runtime, cores: 256 })).toBe(64);
  expect(countWorkers("auto", { ...runtime, sharedPorts: false })).toBe(1);
  expect(countWorkers(3, runtime)).toBe(3);
});

const urls: readonly (readonly [string, string | undefined])[] = [
  ["http://10.0.0.1:8000", "10.0.0.1:8000"],
  ["http://10.0.0.1:8000/", "10.0.0.1:8000"],
  ["engine-0.engines:8000", "engine-0.engines:8000"],
  ["engine", "engine:80"],
  ["http://[::1]:8000", "[::1]:8000"],
  ["unix:/run/e.sock", "unix:/run/e.sock"],
  ["http://unix:/run/e.sock", "unix:/run/e.sock"],
  ["https://a:1", undefined],
  ["a:0", undefined],
  ["a:65536", undefined],
  ["a:", undefined],
  [":80", undefined],
  ["a/b", undefined],
  ["user@a:1", undefined],
  ["::1", undefined],
  ["[::1", undefined],
  ["unix:a", undefined],
];

test.each(urls)("an engine at %s is at %s", (url, key) => {
  const parsed = parseEngineUrl(url);
  if (key === undefined) expect(parsed).toHaveProperty("problem");
  else expect(parsed).not.toHaveProperty("problem");
  if (key === undefined) expect(() => parseAddress(url)).toThrow(url);
  else expect(parseAddress(url).key).toBe(key);
});
