/** Reads the files of TLS: certificates, keys, issuers. What is wrong with one is said with its name and the reason. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { SecureContext } from "node:tls";
import type { ConfigPath } from "../config/problems/fault.ts";
import { describeOpenError } from "../config/problems/system-error.ts";
import type { Config, PoolConfig } from "../config/schema/schema.ts";
import type {
  CertificateConfig,
  OperatorTlsConfig,
  PoolTlsConfig,
  ServerTlsConfig,
} from "../config/schema/tls.ts";
import { systemClock } from "../transport/clock.ts";
import {
  type CertificatePair,
  type ClientTlsSettings,
  clientContext,
  ServerContext,
  type ServerTlsSettings,
  tlsLibrary,
} from "../transport/tls/context.ts";
import type { TlsSettings } from "../transport/tls/settings.ts";
import { certificateFileBytesMax } from "./limits.ts";
import { ServeError } from "./serve-error.ts";

const code = "GP_CERTIFICATE";
const fail = (message: string) => new ServeError(message, code);

/** Protocols above TLS that are offered, as by nginx. */
const alpn = ["http/1.1", "http/1.0"];

/** One place of a configuration that names certificates. */
interface TlsReader {
  readonly path: ConfigPath;
  /** Throws `ServeError` where something cannot be used. */
  read(): { readonly tls: TlsSettings };
}

/** @param ticketKeys 48 bytes in base64, for servers without a file of their own */
export function tlsReaders({ servers, pools }: Config, ticketKeys: string): TlsReader[] {
  const ofServers = servers.flatMap(({ tls }, index): TlsReader[] => {
    if (tls === undefined) return [];
    const read = () => ({
      tls: { servers: { [index]: readServerTls(tls, ticketKeys) }, pools: {} },
    });
    return [{ path: ["servers", index, "tls"], read }];
  });
  const ofPools = Object.entries(pools).flatMap(([name, pool]): TlsReader[] => {
    if (!usesTls(pool)) return [];
    const read = () => ({ tls: { servers: {}, pools: { [name]: readPoolTls(name, pool.tls) } } });
    return [{ path: ["pools", name, "tls"], read }];
  });
  return [...ofServers, ...ofPools];
}

/** Whether any of its engines may be reached with TLS; those of sources are not known yet. */
function usesTls({ engines, tls }: PoolConfig): boolean {
  return tls !== undefined || engines.some(({ url }) => /^https:/i.test(url));
}

function readServerTls(tls: ServerTlsConfig, ticketKeys: string): ServerTlsSettings {
  const { clientCertificates: clients, ticketKeyFile, dhParamsFile, passphraseFile } = tls;
  const ownKeys = ticketKeyFile === undefined ? ticketKeys : readTicketKeys(ticketKeyFile);
  const settings: ServerTlsSettings = {
    certificates: tls.certificates.map((one) => readPair(one, passphraseFile)),
    protocols: tls.protocols,
    ciphers: tls.ciphers,
    curves: tls.curves,
    ...(dhParamsFile !== undefined && { dhParams: readPem(dhParamsFile, "DH PARAMETERS") }),
    prefersOwnCiphers: tls.preferServerCiphers,
    ...(tls.sessionTickets && { ticketKeys: ownKeys }),
    sessionTimeoutS: Math.max(1, Math.round(tls.sessionTimeoutMs / 1000)),
    recordBytesMax: tls.recordBytesMax,
    ...(clients && {
      clients: {
        issuers: [...readIssuers(clients.caFile), ...readIssuers(clients.trustedFile)],
        revoked: readRevoked(clients.crlFile),
        depthMax: clients.depthMax,
      },
    }),
    alpn,
  };
  attempt(() => new ServerContext(settings), tls.certificates[0]?.file);
  return settings;
}

/** As the schema fills it in: a pool with `https://` engines needs no `tls`. */
const poolDefaults: PoolTlsConfig = {
  verify: true,
  depthMax: 4,
  sendName: true,
  protocols: ["TLSv1.2", "TLSv1.3"],
  reuseSessions: true,
};

function readPoolTls(name: string, tls: PoolTlsConfig = poolDefaults): ClientTlsSettings {
  const { certificate, passphraseFile, caFile, crlFile } = tls;
  const settings: ClientTlsSettings = {
    ...(certificate && { certificate: readPair(certificate, passphraseFile) }),
    ...(caFile !== undefined && { issuers: readIssuers(caFile) }),
    revoked: readRevoked(crlFile),
    protocols: tls.protocols,
    ciphers: tls.ciphers,
    verifies: tls.verify,
    depthMax: tls.depthMax,
    keepsSessions: tls.reuseSessions,
    name: tls.name,
    sendsName: tls.sendName,
  };
  attempt(() => clientContext(settings), `of pool "${name}"`);
  return settings;
}

/** What the TLS library itself has against the settings. */
function attempt(create: () => unknown, what = "of a server"): void {
  try {
    create();
  } catch (error) {
    const { message } = error as Error;
    throw fail(`the TLS settings ${what} cannot be used: ${message}`);
  }
}

/** A certificate and its key, which must belong together. */
export function readPair(
  { file, keyFile }: CertificateConfig,
  passphraseFile?: string,
): CertificatePair {
  const certificate = readPem(file, "CERTIFICATE", "certificate");
  const key = readKey(keyFile, passphraseFile);
  const leaf = parseCertificate(certificate, file);
  if (!leaf.checkPrivateKey(key)) {
    throw fail(
      `the key "${keyFile}" does not match the certificate "${file}": key values mismatch`,
    );
  }
  return { certificate, key: key.export({ type: "pkcs8", format: "pem" }) as string };
}

function parseCertificate(pem: string, file: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw fail(`cannot load certificate "${file}": ${(error as Error).message}`);
  }
}

function readKey(file: string, passphraseFile: string | undefined): KeyObject {
  const pem = readPem(file, "PRIVATE KEY", "certificate key");
  const passphrases =
    passphraseFile === undefined
      ? []
      : readText(passphraseFile, "pass phrases").split(/\r?\n/).filter(Boolean);
  const isEncrypted = pem.includes("ENCRYPTED");
  if (isEncrypted && passphrases.length === 0) {
    const hint = "name a file with its pass phrase (ssl_password_file, passphraseFile)";
    throw fail(`the certificate key "${file}" is encrypted: ${hint}`);
  }
  let reason = "";
  for (const passphrase of isEncrypted ? passphrases : [""]) {
    try {
      return createPrivateKey(isEncrypted ? { key: pem, passphrase } : pem);
    } catch (error) {
      reason = (error as Error).message;
    }
  }
  const why = isEncrypted ? `no line of "${passphraseFile}" is its pass phrase` : reason;
  throw fail(`cannot load certificate key "${file}": ${why}`);
}

/** Each certificate of the file is tried: the library would skip what comes after a broken one. */
function readIssuers(file: string | undefined): string[] {
  if (file === undefined) return [];
  const text = readPem(file, "CERTIFICATE", "trusted certificates");
  const parts = text.match(/-----BEGIN [\s\S]+?-----END [^-]+-----/g) ?? [];
  for (const part of parts) parseCertificate(part, file);
  return parts;
}

function readRevoked(file: string | undefined): string[] {
  if (file === undefined) return [];
  const text = readPem(file, "X509 CRL", "revoked certificates");
  return text.match(/-----BEGIN X509 CRL-----[\s\S]+?-----END X509 CRL-----/g) ?? [];
}

function readTicketKeys(file: string): string {
  const bytes = readBytes(file, "ticket keys");
  if (bytes.length !== 48 && bytes.length !== 80) {
    throw fail(`"${file}" must be 48 or 80 bytes`);
  }
  return bytes.subarray(0, 48).toString("base64");
}

function readPem(file: string, label: string, what = label.toLowerCase()): string {
  const text = readText(file, what);
  if (text.includes("-----BEGIN ") && new RegExp(`-----BEGIN [A-Z ]*${label}-----`).test(text)) {
    return text;
  }
  throw fail(`cannot load ${what} "${file}": no PEM of it (-----BEGIN ${label}-----)`);
}

function readText(file: string, what: string): string {
  return readBytes(file, what).toString("utf8");
}

function readBytes(file: string, what: string): Buffer {
  try {
    const { size } = statSync(file);
    if (size <= certificateFileBytesMax) return readFileSync(file);
    throw fail(`${file} has ${size} bytes, more than ${certificateFileBytesMax}`);
  } catch (error) {
    if (error instanceof ServeError) throw error;
    const why = describeOpenError(file, error as NodeJS.ErrnoException);
    throw fail(`cannot load ${what} "${file}": ${why}`);
  }
}

/** Of a listener for operators. Throws `ServeError`. */
export function operatorContext({ certificate, passphraseFile }: OperatorTlsConfig): SecureContext {
  const { certificate: cert, key } = readPair(certificate, passphraseFile);
  return tlsLibrary().createSecureContext({ cert, key, minVersion: "TLSv1.2" });
}

/** Certificates that are used and not valid at this time: they are served nevertheless, as by nginx. */
export function certificateWarnings(tls: TlsSettings, { servers, pools }: Config): string[] {
  const own = Object.entries(tls.servers).flatMap(([index, { certificates }]) =>
    certificates.map(({ certificate }, at) => {
      return [certificate, servers[Number(index)]!.tls!.certificates[at]!.file] as const;
    }),
  );
  const clients = Object.entries(tls.pools).flatMap(([name, { certificate }]) =>
    certificate === undefined
      ? []
      : [[certificate.certificate, pools[name]!.tls!.certificate!.file] as const],
  );
  const nowMs = systemClock.wallMs();
  return [...own, ...clients].flatMap(([pem, file]) => {
    const { validFrom, validTo } = new X509Certificate(pem);
    if (Date.parse(validTo) < nowMs) return [`the certificate "${file}" has expired: ${validTo}`];
    if (Date.parse(validFrom) <= nowMs) return [];
    return [`the certificate "${file}" is not valid before ${validFrom}`];
  });
}

/** All files that are read, so that they can be watched. */
export function tlsFiles({ servers, pools }: Config): string[] {
  const own = servers.flatMap(({ tls }) => {
    if (tls === undefined) return [];
    const { certificates, passphraseFile, clientCertificates: clients } = tls;
    const { ticketKeyFile, dhParamsFile } = tls;
    const pairs = certificates.flatMap(({ file, keyFile }) => [file, keyFile]);
    const others = [passphraseFile, ticketKeyFile, dhParamsFile];
    return [...pairs, ...others, clients?.caFile, clients?.trustedFile, clients?.crlFile];
  });
  const others = Object.values(pools).flatMap(({ tls }) => [
    tls?.certificate?.file,
    tls?.certificate?.keyFile,
    tls?.passphraseFile,
    tls?.caFile,
    tls?.crlFile,
  ]);
  return [...new Set([...own, ...others].filter((file) => file !== undefined))];
}
