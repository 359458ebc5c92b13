/** Where an engine is asked: at its own address, or at another port of the same host, as its attributes say. */
import type { OtherPort } from "../../dialects/definition.ts";
import { type Address, addressOf } from "../../pool/address.ts";
import type { ConfiguredEngine } from "../../pool/engines.ts";

/** @param discovered attributes that the engine itself has said; the configuration's count more */
export function addressToAsk(
  { address, attributes }: ConfiguredEngine,
  port: OtherPort | undefined,
  discovered: Readonly<Record<string, string>>,
): Address {
  if (port === undefined || address.host === undefined) return address;
  const said = Number(attributes[port.attribute] ?? discovered[port.attribute]);
  const number = Number.isInteger(said) && said > 0 && said <= 65_535 ? said : port.otherwise;
  return addressOf({ host: attributes[port.hostAttribute] ?? address.host, port: number });
}
