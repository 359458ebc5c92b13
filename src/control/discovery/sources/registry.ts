/** The kinds of sources that there are, and which of them a configuration has. */
import type {
  DnsSourceConfig,
  FileSourceConfig,
  PoolSourceConfig,
} from "../../../config/schema/pool/sources.ts";
import type { Config } from "../../../config/schema/schema.ts";
import { DnsSource } from "./dns.ts";
import { FileSource } from "./file.ts";
import { RegistrationSource } from "./registration.ts";
import type { EngineSource, SourceDeps } from "./source.ts";

/** A source that a configuration wants. */
export interface WantedSource {
  /** Of two configurations, the source is the same if its key is. */
  readonly key: string;
  create(deps: SourceDeps): EngineSource;
  /** The source that was created for an earlier configuration, with the same key. */
  use(source: EngineSource): void;
}

/** Those of a pool's `sources`, by the key that tells their kind. */
const ofPools: Readonly<
  Record<string, (pool: string, config: PoolSourceConfig, deps: SourceDeps) => EngineSource>
> = {
  file: (pool, config, deps) => new FileSource(pool, config as FileSourceConfig, deps),
  dns: (pool, config, deps) => new DnsSource(pool, config as DnsSourceConfig, deps),
};

/** Every kind. `admin` is always there, once for all pools. */
export const sourceKinds: readonly string[] = [...Object.keys(ofPools), "registration", "admin"];

/** In the order in which they count. */
export function wantedSources({ pools, registrations }: Config): WantedSource[] {
  const wanted = Object.entries(pools).flatMap(([pool, { sources }]) =>
    sources.flatMap((config): WantedSource[] => {
      const kind = Object.keys(ofPools).find((name) => name in config);
      if (kind === undefined) return [];
      const create = (deps: SourceDeps) => ofPools[kind]!(pool, config, deps);
      return [{ key: `${pool} ${JSON.stringify(config)}`, create, use: () => {} }];
    }),
  );
  const registering = registrations.map(
    (config): WantedSource => ({
      key: registrationKey(config.zmq),
      create: (deps) => new RegistrationSource(config, deps),
      use: (source) => (source as RegistrationSource).use(config),
    }),
  );
  // A source that is named twice is one.
  return [...new Map([...wanted, ...registering].map((one) => [one.key, one])).values()];
}

export function registrationKey(zmq: string): string {
  return `registration ${zmq}`;
}
