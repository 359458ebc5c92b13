/** An engine's URL that is read wrongly sends requests to another host. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { engineAttributes } from "../../../src/config/values/engine-attributes.ts";
import { parseEngineUrl } from "../../../src/config/values/engine-url.ts";
import { parseAddress } from "../../../src/pool/address.ts";

const urls: readonly (readonly [string, string | undefined])[] = [
  ["http://10.0.0.1:8000", "10.0.0.1:8000"],
  ["http://10.0.0.1:8000/", "10.0.0.1:8000"],
  ["engine-0.engines:8000", "engine-0.engines:8000"],
  ["engine", "engine:80"],
  ["http://[::1]:8000", "[::1]:8000"],
  ["unix:/run/e.sock", "unix:/run/e.sock"],
  ["http://unix:/run/e.sock", "unix:/run/e.sock"],
  ["https://a:1", "a:1"],
  ["https://a", "a:443"],
  ["https://unix:/a/b", "unix:/a/b"],
  ["ftp://a:1", undefined],
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

test.each(urls)("the engine %s has the address %s", (url, key) => {
  const parsed = parseEngineUrl(url);
  if (key === undefined) expect(parsed).toHaveProperty("problem");
  else expect(parsed).not.toHaveProperty("problem");
  if (key === undefined) expect(() => parseAddress(url)).toThrow(url);
  else expect(parseAddress(url).key).toBe(key);
});

test.each([
  ["http://a:80@3", [3], {}],
  ["a:80@0-2", [0, 1, 2], {}],
  ["[::1]:80@7", [7], {}],
  [
    "http://a:80?bootstrap_port=8998&zmq_address=1.2.3.4:21001",
    [-1],
    { bootstrap_port: "8998", zmq_address: "1.2.3.4:21001" },
  ],
  ["http://a:80@1?engine_id=x%20y", [1], { engine_id: "x y" }],
  ["http://a:80/?dp_size=2", [-1], { dp_size: "2" }],
])("%s names the ranks %j and the attributes %j", (url, dpRanks, attributes) => {
  expect(parseEngineUrl(url)).toMatchObject({ dpRanks, attributes });
});

test.each([
  ["http://user@a:80", /user name/, /host:port@0/],
  ["http://user:secret@a", /user name/, /rank/],
  ["http://user@0", /user name/, /rank/],
  ["a:80@2-1", /user name/, /range/],
  ["a:80@0-4000", /user name/, /1024/],
  ["a:80?bootstrap_prt=1", /unknown attribute "bootstrap_prt"/, /bootstrap_port/],
  ["a:80?bootstrap_port=", /no value/, undefined],
  ["a:80?dp_size=1&dp_size=2", /duplicate attribute "dp_size"/, undefined],
])("%s is rejected", (url, problem, hint) => {
  const parsed = parseEngineUrl(url) as { problem: string; hint?: string };
  expect(parsed.problem).toMatch(problem);
  if (hint !== undefined) expect(parsed.hint).toMatch(hint);
});

test("the documentation lists every attribute of an engine", () => {
  const page = readFileSync("docs/kv-transfer.md", "utf8");
  for (const name of Object.keys(engineAttributes)) expect(page).toContain(`\`${name}\``);
});
