/** Keys from an issuer's address: a rotation must not lock clients out, and an issuer that is down not either. */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair } from "jose";
import { afterEach, beforeEach, expect, test } from "vitest";
import { issuerAgainMs, issuerKeySetBytesMax } from "../../../src/control/limits.ts";
import { IssuerKeys } from "../../../src/control/process/issuer-keys.ts";
import { eventually } from "../../support/eventually.ts";

let server: Server;
let url: string;
let responds: (response: ServerResponse) => void;
let asked: number;
let changes: number;
let lines: string[];
let nowMs: number;
let keys: IssuerKeys;

beforeEach(async () => {
  asked = 0;
  changes = 0;
  lines = [];
  nowMs = 1_000_000;
  server = createServer((_, response) => {
    asked += 1;
    responds(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  const say = (line: string) => lines.push(line);
  keys = new IssuerKeys({
    log: { notice: say, error: say },
    nowMs: () => nowMs,
    changed: () => {
      changes += 1;
    },
  });
});
afterEach(() => {
  keys.close();
  server.closeAllConnections();
  server.close();
});

async function publicKey(kid: string) {
  return { ...(await exportJWK((await generateKeyPair("ES256")).publicKey)), kid };
}
const says = (keys: readonly unknown[]) => (response: ServerResponse) =>
  response.end(JSON.stringify({ keys }));
const kids = () => {
  const known = keys.of(url);
  return known && "jwks" in known ? known.jwks.keys.map(({ kid }) => kid) : undefined;
};

test("they are fetched at start, and again when a key is not known", async () => {
  responds = says([await publicKey("1")]);
  keys.use(url);
  await eventually(() => changes === 1);
  expect(kids()).toEqual(["1"]);
  responds = says([await publicKey("2")]);
  await keys.ask();
  expect(kids()).toEqual(["2"]);
  // Tokens with invented keys do not have it asked for each.
  await Promise.all([keys.ask(), keys.ask()]);
  expect(asked).toBe(2);
  nowMs += issuerAgainMs;
  await Promise.all([keys.ask(), keys.ask()]);
  expect([asked, changes]).toEqual([3, 2]);
});

test.each<[string, (response: ServerResponse) => void, RegExp]>([
  ["an error", (response) => response.writeHead(503).end(), /responds with 503/],
  ["no JSON", (response) => response.end("<html>"), /no JSON/],
  ["no keys", (response) => response.end('{"keys":[]}'), /no public key/],
  ["a secret", says([{ kty: "oct", k: "AAAA", kid: "x" }]), /no public key/],
  [
    "too much",
    (response) => response.end(Buffer.alloc(issuerKeySetBytesMax + 1, " ")),
    /more than/,
  ],
  [
    "a redirect",
    (response) => response.writeHead(302, { location: "/other" }).end(),
    /fetched from/,
  ],
  ["nothing", (response) => response.destroy(), /fetched from/],
])("the last ones stay while it says %s, and it is said once", async (_, fault, why) => {
  responds = says([await publicKey("1")]);
  keys.use(url);
  await eventually(() => changes === 1);
  responds = fault;
  for (let times = 0; times < 2; times += 1) {
    nowMs += issuerAgainMs;
    await keys.ask();
  }
  expect(kids()).toEqual(["1"]);
  const said = lines.filter((line) => line.includes("cannot be fetched"));
  expect(said).toEqual([expect.stringMatching(why)]);
  expect(said[0]).toContain("the last ones stay in force");
});

test("keys of kinds that nobody knows do not take the others with them", async () => {
  responds = says([{ kty: "new", kid: "9" }, await publicKey("1")]);
  keys.use(url);
  await eventually(() => changes === 1);
  expect(kids()).toEqual(["1"]);
});

test("those of an address that is no more configured do not come any more", async () => {
  let late: ServerResponse | undefined;
  responds = (response) => {
    late = response;
  };
  keys.use(url);
  await eventually(() => late !== undefined);
  keys.use(undefined);
  says([await publicKey("1")])(late!);
  await keys.ask();
  expect([changes, kids()]).toEqual([0, undefined]);
});
