/**
 * Which engine a publisher is that has connected to the proxy: by its topic, as llm-d has it (`kv@HOST@MODEL`,
 * `kv@HOST:PORT@MODEL`), else by the address that it connects from.
 */
import { isIPv4, isIPv6 } from "node:net";

export interface PublishingEngine {
  /** As logs name it; the same in all pools. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

interface Place {
  readonly host: string;
  /** 0 = not said. */
  readonly port: number;
}

/** The engine in all pools that have it; empty = none, or several engines may be meant. */
export function enginesOfPublisher<E extends PublishingEngine>(
  engines: readonly E[],
  topic: string,
  peerAddress: string,
  addressesOf: (host: string) => readonly string[],
): readonly E[] {
  const place = placeIn(topic);
  if (place === undefined) return only(engines.filter(isAt(peerAddress, addressesOf)));
  const hasPort = ({ port }: E) => place.port === 0 || place.port === port;
  const named = engines.filter(isAt(place.host, addressesOf));
  // A name that is none of the engines' is that of a pod: then the address says more.
  const meant = named.length > 0 ? named : engines.filter(isAt(peerAddress, addressesOf));
  return only(meant.filter(hasPort));
}

/** Undefined = the topic names no engine. */
export function placeIn(topic: string): Place | undefined {
  const [, place = ""] = /^kv@([^@]+)/.exec(topic) ?? [];
  const [, bracketed, plain, port] =
    /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(place) ?? [];
  const host = bracketed ?? plain ?? (isIPv6(place) ? place : "");
  return host === "" ? undefined : { host, port: Number(port ?? 0) };
}

/** An address or a name in the one form in which it is compared: IPv4 that is mapped into IPv6 is IPv4. */
export function comparable(host: string): string {
  const plain = host.toLowerCase().replace(/%.*$/, "");
  const mapped = plain.replace(/^::ffff:(?=\d+\.)/, "");
  if (isIPv4(mapped) || !isIPv6(plain)) return mapped;
  return new URL(`http://[${plain}]`).hostname.slice(1, -1);
}

function isAt(host: string, addressesOf: (host: string) => readonly string[]) {
  const wanted = comparable(host);
  return (engine: PublishingEngine) =>
    comparable(engine.host) === wanted ||
    addressesOf(engine.host).some((address) => comparable(address) === wanted);
}

function only<E extends PublishingEngine>(engines: readonly E[]): readonly E[] {
  return new Set(engines.map(({ name }) => name)).size === 1 ? engines : [];
}
