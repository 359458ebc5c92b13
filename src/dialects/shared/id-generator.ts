/** Ids from the system's source of randomness. */

import { randomBytes, randomUUID } from "node:crypto";
import type { IdGenerator } from "../dialect.ts";

export const systemIds: IdGenerator = {
  uuid: () => randomUUID(),
  secret: () => randomBytes(16).toString("hex"),
  integer63: () => randomBytes(8).readBigUInt64BE() >> 1n,
};
