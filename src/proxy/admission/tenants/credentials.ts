/** What clients are known by, and what engines ask for, as the main thread has read it for workers: plain data. */
import type { ApiKey } from "../../../config/values/key-file.ts";
import type { TlsSettings } from "../../../transport/tls/settings.ts";

/** To verify tokens with: public keys of the issuer, or a secret that it shares. */
export type TokenKeys =
  | { readonly jwks: { readonly keys: readonly Readonly<Record<string, unknown>>[] } }
  | { readonly secret: string };

export interface Credentials {
  readonly keys: readonly ApiKey[];
  readonly tokenKeys?: TokenKeys;
  /** Keys of engines, by the names of their pools. */
  readonly engineKeys: Readonly<Record<string, string>>;
  /** Certificates, and whom servers and the proxy itself trust; undefined = nothing is encrypted. */
  readonly tls?: TlsSettings;
}

export const noCredentials: Credentials = { keys: [], engineKeys: {} };
