/**
 * Request ids that hold the addresses of both engines' KV connectors, from which each learns where the other one is
 * (vLLM's P2pNcclConnector and MoRIIOConnector). Their patterns: `___prefill_addr_(.*)___decode_addr_(.*)_<32
 * hexadecimal digits>`.
 */

import type { EngineAttribute } from "../definition.ts";
import type { EngineInfo, Engines } from "../dialect.ts";

export const zmqAddress: EngineAttribute = {
  of: "both",
  meaning: "address of its KV connector (rank 0), as the engine itself says it",
  default: "its host and the ports below",
};

/** In a header line, and between the marks around it. */
const fits = /^(?!.*___)[\x21-\x7e]+$/;

/**
 * @param addressOf the address of an engine whose attribute `zmq_address` does not say it
 * @param uuid new for each attempt: engines key KV caches by the id
 */
export function addressedId(
  { prefill, decode }: Engines,
  addressOf: (engine: EngineInfo) => string,
  uuid: string,
): string {
  const address = (engine: EngineInfo): string => {
    const said = engine.attributes["zmq_address"] ?? "";
    return fits.test(said) ? said : addressOf(engine);
  };
  // Both are chosen before anything is sent.
  return `___prefill_addr_${address(prefill)}___decode_addr_${address(decode!)}_${uuid.replaceAll("-", "")}`;
}
