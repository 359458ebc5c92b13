/** Ids from the system's source of randomness. */

import { randomBytes, randomUUID } from "node:crypto";
import type { Mint } from "../dialect.ts";

export const systemMint: Mint = {
  uuid: () => randomUUID(),
  secret: () => randomBytes(16).toString("hex"),
  integer63: () => randomBytes(8).readBigUInt64BE() >> 1n,
};
