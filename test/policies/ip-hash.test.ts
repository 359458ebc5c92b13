/** A client stays at its engine, at the one that nginx would give it. */
import { describe, expect, it } from "vitest";
import { ipHash } from "../../src/policies/ip-hash.ts";
import { among, countPicks, poolOf, request } from "./pool-view.ts";

const deps = (weights: readonly number[]) => ({ pool: poolOf(weights), random: () => 0 });

function picker(weights: readonly number[]) {
  const of = deps(weights);
  const policy = ipHash.create(of, {});
  return (clientAddress: string, fit?: number[]) =>
    policy.pick(among(of.pool, fit), request({ clientAddress }));
}

/** ngx_http_upstream_ip_hash_module.c: the engines that are asked in turn, by equal weights. */
function sequence(bytes: readonly number[], engines: number, length: number): number[] {
  let hash = 89;
  return Array.from({ length }, () => {
    for (const byte of bytes) hash = (hash * 113 + byte) % 6271;
    return hash % engines;
  });
}

it("hashes three bytes of IPv4: one engine for a /24", () => {
  const pick = picker([1, 1, 1, 1]);
  for (const net of ["10.0.0", "192.168.7", "203.0.113", "8.8.4"]) {
    const [wanted] = sequence(net.split(".").map(Number), 4, 1);
    for (const host of [0, 1, 99, 255]) expect(pick(`${net}.${host}`)).toBe(wanted);
  }
  const nets = Array.from({ length: 256 }, (_, n) => pick(`10.1.${n}.1`));
  for (const count of countPicks(4, nets)) expect(count).toBeGreaterThan(40);
});

it("hashes all sixteen bytes of IPv6, however they are written", () => {
  const pick = picker([1, 1, 1, 1, 1, 1, 1]);
  const bytes = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xab, 0xcd];
  const [wanted] = sequence(bytes, 7, 1);
  expect(pick("2001:db8::1:abcd")).toBe(wanted);
  expect(pick("2001:db8:0:0:0:0:1:abcd")).toBe(wanted);
  expect(pick("2001:0db8:0000::0001:ABCD")).toBe(wanted);
  expect(pick("::1")).toBe(sequence([...new Array<number>(15).fill(0), 1], 7, 1)[0]);
  expect(pick("fe80::")).toBe(sequence([0xfe, 0x80, ...new Array<number>(14).fill(0)], 7, 1)[0]);
});

it("gives a client the same engine on an IPv4 and on a dual listener", () => {
  const pick = picker([1, 1, 1, 1, 1]);
  for (const v4 of ["1.2.3.4", "77.12.9.1"]) expect(pick(`::ffff:${v4}`)).toBe(pick(v4));
});

it("hashes clients of a unix socket as nginx does: all to one engine", () => {
  expect(picker([1, 1, 1])("unix:")).toBe(sequence([0, 0, 0], 3, 1)[0]);
});

describe("an unfit engine", () => {
  it("sends its clients on by rehashing, and no others", () => {
    const pick = picker([1, 1, 1, 1]);
    for (let net = 0; net < 200; net += 1) {
      const bytes = [10, net, 5];
      const address = `${bytes.join(".")}.1`;
      const wanted = sequence(bytes, 4, 21).find((engine) => engine !== 2);
      expect(pick(address, [0, 1, 3])).toBe(wanted);
      if (pick(address) !== 2) expect(wanted).toBe(pick(address));
    }
  });

  it("sends on in turn after 21 hashes without luck", () => {
    const pick = picker(new Array<number>(100).fill(1));
    const unlucky = Array.from({ length: 250 }, (_, n) => [1 + n, 2, 3]).find(
      (bytes) => !sequence(bytes, 100, 21).some((engine) => engine === 40 || engine === 41),
    )!;
    const address = `${unlucky.join(".")}.1`;
    const picks = Array.from({ length: 6 }, () => pick(address, [40, 41]));
    expect(picks).toEqual([40, 41, 40, 41, 40, 41]);
  });
});
