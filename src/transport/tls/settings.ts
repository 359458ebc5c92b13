/** The TLS of a whole configuration, as the main thread has read it for workers: plain data. */
import type { ClientTlsSettings, ServerTlsSettings } from "./context.ts";

export interface TlsSettings {
  /** By the servers' places in the configuration. */
  readonly servers: Readonly<Record<number, ServerTlsSettings>>;
  /** By the names of pools. */
  readonly pools: Readonly<Record<string, ClientTlsSettings>>;
}

export const noTls: TlsSettings = { servers: {}, pools: {} };
