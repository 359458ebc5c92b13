/** Addresses and networks as numbers, so that the network that an address is in can be looked up. */
import { isIP } from "node:net";

/** An address of 32 or 128 bits. IPv4 inside IPv6 (`::ffff:10.0.0.1`) is IPv4. */
export interface NumericAddress {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

/** All addresses that begin as `value` does, by so many bits. */
export interface Network extends NumericAddress {
  readonly prefixBits: number;
}

/** Undefined = the text is no address. */
export function parseAddress(text: string): NumericAddress | undefined {
  const family = isIP(text);
  if (family === 4) return { bits: 32, value: valueOfV4(text) };
  if (family !== 6 || text.includes("%")) return undefined;
  const value = valueOfV6(text);
  return value >> 32n === 0xffffn
    ? { bits: 32, value: value & 0xffff_ffffn }
    : { bits: 128, value };
}

function valueOfV4(text: string): bigint {
  return text.split(".").reduce((value, part) => (value << 8n) + BigInt(part), 0n);
}

function valueOfV6(text: string): bigint {
  const [, start = "", v4 = ""] = /^(.*?)(\d+\.\d+\.\d+\.\d+)?$/.exec(text) ?? [];
  const tail = v4 === "" ? [] : [valueOfV4(v4) >> 16n, valueOfV4(v4) & 0xffffn];
  const [before = "", after] = (v4 === "" ? start : start.replace(/(?<!:):$/, "")).split("::");
  const groups = (part: string) =>
    part.split(":").flatMap((group) => (group === "" ? [] : [BigInt(`0x${group}`)]));
  const head = groups(before);
  const end = [...groups(after ?? ""), ...tail];
  const zeros = Array.from({ length: 8 - head.length - end.length }, () => 0n);
  return [...head, ...zeros, ...end].reduce((value, group) => (value << 16n) + group, 0n);
}

/** `10.0.0.0/8`, `::1` or `10.0.0.1-10.0.0.9`, which is several networks. Undefined = the text is none of them. */
export function parseNetworks(text: string): readonly Network[] | undefined {
  const [first = "", last] = text.split("-", 2);
  if (last !== undefined) return parseRange(first.trim(), last.trim());
  const [, address = "", prefix] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const parsed = parseAddress(address);
  if (parsed === undefined) return undefined;
  const { bits, value } = parsed;
  const written = address.includes(":") ? 128 : 32;
  const prefixBits = Number(prefix ?? written) - (written - bits);
  if (prefixBits < 0 || prefixBits > bits) return undefined;
  const rest = BigInt(bits - prefixBits);
  return [{ bits, prefixBits, value: (value >> rest) << rest }];
}

/** The largest networks that lie in the range, one after the other. */
function parseRange(first: string, last: string): Network[] | undefined {
  const from = parseAddress(first);
  const to = parseAddress(last);
  if (from === undefined || to === undefined || from.bits !== to.bits || from.value > to.value) {
    return undefined;
  }
  const { bits } = from;
  const networks: Network[] = [];
  for (let at = from.value; at <= to.value; ) {
    let rest = 0;
    const isAligned = (size: bigint) => at % size === 0n && at + size - 1n <= to.value;
    while (rest < bits && isAligned(1n << BigInt(rest + 1))) rest += 1;
    networks.push({ bits, prefixBits: bits - rest, value: at });
    at += 1n << BigInt(rest);
  }
  return networks;
}

/** What is known of the smallest network that an address is in. */
export class NetworkTable<T> {
  /** By bits of the address and of the prefix, the longest prefix first. */
  readonly #lengths: {
    readonly bits: number;
    readonly rest: bigint;
    readonly byPrefix: Map<bigint, T>;
  }[] = [];

  /** Of a network that is set twice the last value counts. */
  set({ bits, prefixBits, value }: Network, known: T): void {
    const rest = BigInt(bits - prefixBits);
    let length = this.#lengths.find((one) => one.bits === bits && one.rest === rest);
    if (length === undefined) {
      length = { bits, rest, byPrefix: new Map() };
      this.#lengths.push(length);
      this.#lengths.sort((a, b) => Number(a.rest - b.rest));
    }
    length.byPrefix.set(value >> rest, known);
  }

  find({ bits, value }: NumericAddress): T | undefined {
    for (const length of this.#lengths) {
      if (length.bits !== bits) continue;
      const known = length.byPrefix.get(value >> length.rest);
      if (known !== undefined) return known;
    }
    return undefined;
  }
}
