/** nginx's switches are read as nginx reads them. */
import { expect, test } from "vitest";
import { parseSwitches } from "../../../src/cli/options/switches.ts";

const none = {
  help: false,
  version: false,
  details: false,
  test: false,
  dump: false,
  quiet: false,
};

test.each([
  [["-t"], { test: true }],
  [["-T"], { test: true, dump: true }],
  [["-tq", "-c", "a.conf"], { test: true, quiet: true, file: "a.conf" }],
  [["-tqca.conf", "-p/x"], { test: true, quiet: true, file: "a.conf", prefix: "/x" }],
  [["-tc", "a.conf"], { test: true, file: "a.conf" }],
  [["-c", "-odd"], { file: "-odd" }],
  [["-sreload"], { signal: "reload" }],
  [["-s", "quit", "-g", "pid x;"], { signal: "quit", directives: "pid x;" }],
  [["-hV"], { help: true, version: true, details: true }],
  [["-?", "-v"], { help: true, version: true }],
  [["-c", "a", "-c", "b"], { file: "b" }],
  [["-"], {}],
])("%j", (args, expected) => {
  expect(parseSwitches(args)).toEqual({ switches: { ...none, ...expected }, rest: [] });
});

test.each([
  [["-x"], 'invalid option: "x"'],
  [["-tx"], 'invalid option: "x"'],
  [["-c"], 'option "-c" requires file name'],
  [["-tc"], 'option "-c" requires file name'],
  [["-c", ""], 'option "-c" requires file name'],
  [["-p"], 'option "-p" requires directory name'],
  [["-g"], 'option "-g" requires parameter'],
  [["-s"], 'option "-s" requires parameter'],
  [["-s", "foo"], 'invalid option: "-s foo"'],
  [["-s", "relaod"], 'invalid option: "-s relaod" (did you mean "reload"?)'],
])("%j is refused: %s", (args, error) => {
  expect(parseSwitches(args)).toEqual({ error });
});

test("flags and their values are left for others", () => {
  expect(parseSwitches(["--prefill", "a:1", "b:2", "-t", "--listen=80"])).toEqual({
    switches: { ...none, test: true },
    rest: ["--prefill", "a:1", "b:2", "--listen=80"],
  });
});
