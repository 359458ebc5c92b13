/** Finds the tenant of an API key by the key's hash. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { ApiKey } from "../../../config/values/key-file.ts";
import { apiKeyBytesMax } from "../../../limits.ts";

interface KnownKey {
  readonly digest: Buffer;
  readonly tenant: string;
}

/** Of the digest: enough to tell keys apart. What is compared in constant time is all of it. */
const indexBytes = 8;

export class ApiKeys {
  readonly #byIndex = new Map<string, readonly KnownKey[]>();

  constructor(keys: readonly ApiKey[]) {
    for (const { hash, tenant } of keys) {
      const digest = Buffer.from(hash, "hex");
      const index = indexOf(digest);
      this.#byIndex.set(index, [...(this.#byIndex.get(index) ?? []), { digest, tenant }]);
    }
  }

  /**
   * How long it takes says at most where in the table of hashes a key would be: of a key that has 256 random bits, a
   * hash or a part of it gives nothing away.
   *
   * @returns undefined = nobody has this key
   */
  tenantOf(key: string): string | undefined {
    if (key === "" || key.length > apiKeyBytesMax) return undefined;
    const digest = createHash("sha256").update(key, "latin1").digest();
    let tenant: string | undefined;
    for (const known of this.#byIndex.get(indexOf(digest)) ?? []) {
      if (timingSafeEqual(known.digest, digest)) tenant = known.tenant;
    }
    return tenant;
  }
}

function indexOf(digest: Buffer): string {
  return digest.toString("latin1", 0, indexBytes);
}
