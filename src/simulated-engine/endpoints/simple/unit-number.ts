/** A number from 0 to 1 in place of what a pooling model computes. */

import { mix32 } from "../../model/prng.ts";
import { tokenIdsOf } from "../../model/tokens.ts";

/** It depends on the bytes and the salt alone. */
export function unitOf(bytes: Buffer, salt: number): number {
  let seed = salt;
  for (const id of tokenIdsOf(bytes)) seed = mix32(seed, id, 1);
  return (seed >>> 0) / 4_294_967_296;
}
