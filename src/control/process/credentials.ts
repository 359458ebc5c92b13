/** Reads what clients are known by and what engines ask for, and reads the files of clients again when they change. */
import { createPublicKey, type JsonWebKey, randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { ConfigPath } from "../../config/problems/fault.ts";
import { problemText } from "../../config/problems/problem.ts";
import { describeOpenError } from "../../config/problems/system-error.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { JwtConfig } from "../../config/schema/tenants.ts";
import { type ApiKey, readKeyFile } from "../../config/values/key-file.ts";
import type { ErrorLog } from "../../observe/error-log.ts";
import {
  type Credentials,
  noCredentials,
  type TokenKeys,
} from "../../proxy/admission/tenants/credentials.ts";
import type { TlsSettings } from "../../transport/tls/settings.ts";
import { certificateWarnings, tlsFiles, tlsReaders } from "../certificates.ts";
import { keyFileBytesMax, keyFilePollMs } from "../limits.ts";
import { readSecret } from "../secret-source.ts";
import { ServeError } from "../serve-error.ts";
import { WatchedFile } from "../watched-file.ts";
import { IssuerKeys } from "./issuer-keys.ts";

const code = "GP_CREDENTIALS";

/** One place of the configuration that names something to read. */
export interface CredentialReader {
  readonly path: ConfigPath;
  /** Throws `ServeError` where it cannot be read. */
  read(): Partial<Credentials> | undefined;
}

/** @param ticketKeys of TLS sessions: 48 bytes in base64 */
export function credentialReaders(
  config: Config,
  ticketKeys: string = checkedTicketKeys,
): readonly CredentialReader[] {
  const { auth, tenants, pools } = config;
  const { keyFile, jwt } = auth ?? {};
  const ofEngines = Object.entries(pools).flatMap(([name, { apiKey }]) => {
    if (apiKey === undefined) return [];
    const read = () => readSecret(apiKey, `the API key of pool "${name}"`, code);
    return [{ path: ["pools", name, "apiKey"], read: () => ({ engineKeys: { [name]: read() } }) }];
  });
  return [
    ...ofEngines,
    ...(keyFile === undefined
      ? []
      : [
          {
            path: ["auth", "keyFile"],
            read: () => ({ keys: readKeys(keyFile, Object.keys(tenants)) }),
          },
        ]),
    ...(jwt === undefined || jwt.jwksUrl !== undefined
      ? []
      : [{ path: ["auth", "jwt"], read: () => ({ tokenKeys: readTokenKeys(jwt) }) }]),
    ...tlsReaders(config, ticketKeys),
  ];
}

/** Where nothing is served by them. */
const checkedTicketKeys = Buffer.alloc(48).toString("base64");

/** For `readCredentials`: the same as long as a process lives, so that sessions outlive reloads. */
export function newTicketKeys(): string {
  return randomBytes(48).toString("base64");
}

/** Throws `ServeError` where something cannot be read. */
export function readCredentials(config: Config, ticketKeys: string): Credentials {
  const parts = credentialReaders(config, ticketKeys).map(({ read }) => read());
  const engineKeys = Object.assign(
    {},
    ...parts.map((one) => one?.engineKeys),
  ) as Credentials["engineKeys"];
  const isEncrypted = parts.some((one) => one?.tls !== undefined);
  const tls: TlsSettings = {
    servers: Object.assign({}, ...parts.map((one) => one?.tls?.servers)) as TlsSettings["servers"],
    pools: Object.assign({}, ...parts.map((one) => one?.tls?.pools)) as TlsSettings["pools"],
  };
  const all = { engineKeys, ...(isEncrypted && { tls }) };
  return Object.assign({}, noCredentials, ...parts, all) as Credentials;
}

/** Nobody who has a key gets in, which is easily done by mistake: a file that is being made, or the wrong one. */
export function noKeysWarning({ auth }: Pick<Config, "auth">, keys: number): string | undefined {
  if (auth?.keyFile === undefined || keys > 0) return undefined;
  const who = auth.jwt === undefined ? "each request that needs a key" : "whoever has no token";
  return `${auth.keyFile} has no API keys: ${who} gets 401`;
}

export interface CredentialFilesOptions {
  readonly log: Pick<ErrorLog, "notice" | "warn" | "error">;
  /** See `readCredentials`. */
  readonly ticketKeys: string;
  nowMs(): number;
  /** They have been read again. */
  changed(credentials: Credentials): void;
}

/** Watches the files of the configuration in force. */
export class CredentialFiles {
  readonly #options: CredentialFilesOptions;
  #config: Config | undefined;
  #watched: WatchedFile[] = [];
  #current = noCredentials;
  /** Those of a configuration that workers are being given; undefined = they have all that there is. */
  #coming: Credentials | undefined;
  readonly #issuer: IssuerKeys;

  constructor(options: CredentialFilesOptions) {
    this.#options = options;
    this.#issuer = new IssuerKeys({ ...options, changed: () => this.#issuerChanged() });
  }

  /** Throws `ServeError` where something cannot be read. */
  read(config: Config): Credentials {
    const tokenKeys = this.#issuer.of(config.auth?.jwt?.jwksUrl);
    return {
      ...readCredentials(config, this.#options.ticketKeys),
      ...(tokenKeys && { tokenKeys }),
    };
  }

  /** @param credentials as they were read for this configuration */
  use(config: Config, credentials: Credentials): void {
    this.#closeFiles();
    this.#config = config;
    this.#current = credentials;
    const { keyFile, jwt } = config.auth ?? {};
    this.#issuer.use(jwt?.jwksUrl);
    const keyFiles = [keyFile, jwt?.jwksFile, jwt?.publicKeyFile];
    const files = [...keyFiles.filter((file) => file !== undefined), ...tlsFiles(config)];
    const { nowMs } = this.#options;
    this.#watched = files.map(
      (file) =>
        new WatchedFile({
          file,
          pollMs: keyFilePollMs,
          nowMs,
          changed: () => this.#readAgain(file),
        }),
    );
    // A file may have changed since it was read.
    if (files.length > 0) this.#readAgain(files.join(" and "));
  }

  /** As they were read last. */
  get current(): Credentials {
    return this.#current;
  }

  /** By pool, with those of a configuration that is coming: its engines are asked before it is in force. */
  get engineKeys(): Credentials["engineKeys"] {
    return { ...this.#current.engineKeys, ...this.#coming?.engineKeys };
  }

  /** By pool; as `engineKeys`. */
  get poolTls(): TlsSettings["pools"] {
    return { ...this.#current.tls?.pools, ...this.#coming?.tls?.pools };
  }

  /**
   * Has workers given credentials together with a configuration. Keys that are read again meanwhile belong to the
   * configuration before: workers get them only if that one stays in force.
   * @param give rejects if it does
   */
  async handOver(credentials: Credentials, give: () => Promise<void>): Promise<void> {
    const before = this.#current;
    this.#coming = credentials;
    let isSame = true;
    try {
      await give();
      isSame = credentials === before;
    } finally {
      this.#coming = undefined;
      if (isSame && this.#current !== before) this.#options.changed(this.#current);
    }
  }

  /** A token is signed with a key that no worker knows. Never rejects. */
  askIssuer(): Promise<void> {
    return this.#issuer.ask();
  }

  close(): void {
    this.#closeFiles();
    this.#issuer.close();
  }

  #issuerChanged(): void {
    const tokenKeys = this.#issuer.of(this.#config?.auth?.jwt?.jwksUrl);
    if (tokenKeys === undefined) return;
    this.#current = { ...this.#current, tokenKeys };
    if (this.#coming === undefined) this.#options.changed(this.#current);
  }

  #closeFiles(): void {
    for (const file of this.#watched) file.close();
    this.#watched = [];
  }

  #readAgain(file: string): void {
    const { log, changed } = this.#options;
    try {
      const config = this.#config!;
      const credentials = this.read(config);
      if (isDeepStrictEqual(credentials, this.#current)) return;
      const isTls = !isDeepStrictEqual(credentials.tls, this.#current.tls);
      this.#current = credentials;
      const { length } = credentials.keys;
      log.notice(
        `${file} is read again: ${isTls ? "new connections use it" : `${length} API keys`}`,
      );
      const warning = noKeysWarning(config, length);
      if (warning !== undefined) log.warn(warning);
      const doubts = credentials.tls ? certificateWarnings(credentials.tls, config) : [];
      for (const doubt of doubts) log.warn(doubt);
      if (this.#coming === undefined) changed(credentials);
    } catch (error) {
      log.error(`${(error as Error).message}; what was read before stays in force`);
    }
  }
}

function readKeys(file: string, tenants: readonly string[]): readonly ApiKey[] {
  const read = readKeyFile(readText(file), file, tenants);
  if ("keys" in read) return read.keys;
  const [first, ...others] = read.errors;
  const more = others.length === 0 ? "" : `, and ${others.length} more errors`;
  throw new ServeError(`${problemText(first!)}${more}`, code, read.errors);
}

function readTokenKeys({ jwksFile, publicKeyFile, secret }: JwtConfig): TokenKeys {
  if (secret !== undefined) return { secret: readSecret(secret, "the secret of tokens", code) };
  if (publicKeyFile !== undefined) {
    return { jwks: { keys: [{ ...publicJwk(readText(publicKeyFile), publicKeyFile) }] } };
  }
  return { jwks: { keys: readKeySet(readText(jwksFile!), jwksFile!) } };
}

function publicJwk(pem: string, file: string): JsonWebKey {
  if (pem.includes("PRIVATE KEY")) {
    throw new ServeError(`${file} has a private key: the proxy needs the public one alone`, code);
  }
  try {
    return createPublicKey(pem).export({ format: "jwk" });
  } catch {
    throw new ServeError(`${file} has no public key in PEM (-----BEGIN PUBLIC KEY-----)`, code);
  }
}

function readKeySet(text: string, file: string): Readonly<Record<string, unknown>>[] {
  const fail = (problem: string) => new ServeError(`${file} ${problem}`, code);
  let keys: unknown;
  try {
    keys = (JSON.parse(text) as { keys?: unknown }).keys;
  } catch {
    throw fail("is no JSON");
  }
  if (!Array.isArray(keys) || keys.length === 0) {
    throw fail('has no keys: a JSON Web Key Set is {"keys": [ … ]}');
  }
  return keys.map((key: unknown, index) => {
    const isObject = typeof key === "object" && key !== null;
    if (isObject && ("d" in key || "k" in key)) throw fail(`has a secret key (keys[${index}])`);
    try {
      createPublicKey({ key: key as JsonWebKey, format: "jwk" });
    } catch {
      throw fail(`has no public key at keys[${index}]`);
    }
    return key as Record<string, unknown>;
  });
}

function readText(file: string): string {
  try {
    const { size } = statSync(file);
    if (size <= keyFileBytesMax) return readFileSync(file, "utf8");
    throw new ServeError(`${file} has ${size} bytes, more than ${keyFileBytesMax}`, code);
  } catch (error) {
    if (error instanceof ServeError) throw error;
    throw new ServeError(describeOpenError(file, error as NodeJS.ErrnoException), code);
  }
}
