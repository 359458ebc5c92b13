/** What the configuration takes as an engine, the fleet can reach: else a checked configuration would stop a worker. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { parseEngineUrl } from "../../src/config/values/engine-url.ts";
import { parseAddress } from "../../src/pool/address.ts";

it.each([
  ["http://a:8000", { key: "a:8000", host: "a", port: 8000 }],
  ["HTTP://a:8000/", { key: "a:8000", host: "a", port: 8000 }],
  ["a:08000", { key: "a:8000", host: "a", port: 8000 }],
  ["a", { key: "a:80", host: "a", port: 80 }],
  ["http://[::1]:8000", { key: "[::1]:8000", host: "::1", port: 8000 }],
  ["[::1]", { key: "[::1]:80", host: "::1", port: 80 }],
  ["[fe80::1%eth0]:1", { key: "[fe80::1%eth0]:1", host: "fe80::1%eth0", port: 1 }],
  ["unix:/run/e.sock", { key: "unix:/run/e.sock", path: "/run/e.sock" }],
  ["http://unix:/run/e.sock:", { key: "unix:/run/e.sock", path: "/run/e.sock" }],
  ["unix:/run/a:b", { key: "unix:/run/a:b", path: "/run/a:b" }],
])("%s", (url, address) => {
  expect(parseAddress(url)).toEqual(address);
});

function isReached(url: string): boolean {
  try {
    return parseAddress(url).key !== "";
  } catch {
    return false;
  }
}

it("refuses exactly what the configuration refuses", () => {
  const piece = fc.constantFrom(
    ..."http:// https:// HTTP:// unix: / // : [ ] [::1] ::1 % @ ? 80 0 65536 a.b a_b -a 10.0.0.1 1.2".split(
      " ",
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
      const url = pieces.join("");
      expect(isReached(url), url).toBe(!("problem" in parseEngineUrl(url)));
    }),
    { seed: 1, numRuns: 3_000 },
  );
});
