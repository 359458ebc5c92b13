/** TLS contexts: certificates and rules, made once for each configuration and used by many handshakes. */
import { isIP } from "node:net";
import type { PeerCertificate, SecureContext, SecureContextOptions, SecureVersion } from "node:tls";
import type { ClientHello } from "./client-hello.ts";

/** Loaded once something uses TLS: it takes 6 ms of a thread's start. */
export const tlsLibrary = (): typeof import("node:tls") => process.getBuiltinModule("node:tls");

export const tlsVersions: readonly SecureVersion[] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

/** PEM: a certificate with those of its issuers behind it, and its private key. */
export interface CertificatePair {
  readonly certificate: string;
  readonly key: string;
}

/** What both sides of a connection may restrict. Plain data. */
export interface TlsRules {
  /** At least one. */
  readonly protocols: readonly SecureVersion[];
  /** OpenSSL's list; undefined = the runtime's. */
  readonly ciphers?: string | undefined;
}

/** Certificates of clients that a server asks for. */
export interface ClientCertificates {
  /** PEM of issuers. */
  readonly issuers: readonly string[];
  /** PEM of revoked certificates. */
  readonly revoked: readonly string[];
  /** Intermediate certificates that a chain may have. */
  readonly depthMax: number;
}

export interface ServerTlsSettings extends TlsRules {
  /** One for each kind of key; none = every handshake is rejected. */
  readonly certificates: readonly CertificatePair[];
  readonly curves?: string | undefined;
  /** PEM. */
  readonly dhParams?: string | undefined;
  readonly prefersOwnCiphers: boolean;
  /** 48 bytes in base64, by which sessions are resumed; undefined = they are not. */
  readonly ticketKeys?: string | undefined;
  readonly sessionTimeoutS: number;
  /** Of one record that is sent. */
  readonly recordBytesMax: number;
  readonly clients?: ClientCertificates | undefined;
  /** Protocols above TLS that are offered, the preferred first. */
  readonly alpn: readonly string[];
}

export interface ClientTlsSettings extends TlsRules {
  /** Its own, if the server asks for one. */
  readonly certificate?: CertificatePair | undefined;
  /** PEM of issuers; undefined = those that the runtime trusts. */
  readonly issuers?: readonly string[] | undefined;
  readonly revoked: readonly string[];
  readonly verifies: boolean;
  readonly depthMax: number;
  readonly keepsSessions: boolean;
  /** That certificates must be for; undefined = the host that is connected to. */
  readonly name?: string | undefined;
  /** Whether the server is told that name (SNI). */
  readonly sendsName: boolean;
}

/** What one handshake of a server goes by. */
export interface ServerHandshake {
  readonly context: SecureContext;
  readonly clients: ClientCertificates | undefined;
  readonly alpn: readonly string[];
  readonly recordBytesMax: number;
}

/** By what the connections that come to a listener are encrypted. */
export interface ServerTls {
  /** Undefined = the handshake is rejected: the client asks for a server that there is not. */
  handshake(hello: ClientHello): ServerHandshake | undefined;
}

/** The settings of one server, for its handshakes. */
export class ServerContext {
  readonly #ecdsa: ServerHandshake | undefined;
  readonly #other: ServerHandshake | undefined;

  /** @throws what the TLS library says against the settings */
  constructor(settings: ServerTlsSettings) {
    const { clients, alpn, recordBytesMax } = settings;
    for (const pair of settings.certificates) {
      const context = tlsLibrary().createSecureContext(serverOptions(settings, pair));
      const handshake = { context, clients, alpn, recordBytesMax };
      if (isEcdsa(pair.certificate)) this.#ecdsa ??= handshake;
      else this.#other ??= handshake;
    }
  }

  /** A context has one certificate: runtimes differ in what they do with several. */
  handshake({ takesEcdsa }: ClientHello): ServerHandshake | undefined {
    return takesEcdsa ? (this.#ecdsa ?? this.#other) : (this.#other ?? this.#ecdsa);
  }
}

function isEcdsa(pem: string): boolean {
  const { X509Certificate } = process.getBuiltinModule("node:crypto");
  return new X509Certificate(pem).publicKey.asymmetricKeyType === "ec";
}

function serverOptions(settings: ServerTlsSettings, pair: CertificatePair): SecureContextOptions {
  const { curves, dhParams, prefersOwnCiphers, ticketKeys, sessionTimeoutS, clients } = settings;
  const { SSL_OP_NO_TICKET } = flags();
  return {
    ...rulesOf(settings, ticketKeys === undefined ? SSL_OP_NO_TICKET : 0),
    cert: pair.certificate,
    key: pair.key,
    honorCipherOrder: prefersOwnCiphers,
    ...(curves !== undefined && { ecdhCurve: curves }),
    ...(dhParams !== undefined && { dhparam: dhParams }),
    ...(ticketKeys !== undefined && { ticketKeys: Buffer.from(ticketKeys, "base64") }),
    sessionTimeout: sessionTimeoutS,
    // A session of a client with a certificate is resumed only in a context that has the same one.
    sessionIdContext: "global-proxy",
    ca: [...(clients?.issuers ?? [])],
    ...(clients && clients.revoked.length > 0 && { crl: [...clients.revoked] }),
  };
}

const flags = () => process.getBuiltinModule("node:crypto").constants;

/** Versions are a range for the library; a gap in it is switched off. */
function rulesOf({ protocols, ciphers }: TlsRules, otherFlags: number): SecureContextOptions {
  const { SSL_OP_NO_TLSv1_1, SSL_OP_NO_TLSv1_2 } = flags();
  const used = tlsVersions.filter((version) => protocols.includes(version));
  const first = used[0]!;
  const last = used.at(-1)!;
  const gaps = tlsVersions
    .slice(tlsVersions.indexOf(first), tlsVersions.indexOf(last))
    .filter((version) => !used.includes(version));
  const secureOptions = gaps.reduce(
    (bits, version) => bits | (version === "TLSv1.1" ? SSL_OP_NO_TLSv1_1 : SSL_OP_NO_TLSv1_2),
    otherFlags,
  );
  return {
    minVersion: first,
    maxVersion: last,
    ...(secureOptions !== 0 && { secureOptions }),
    ...(ciphers !== undefined && { ciphers }),
  };
}

/** How one peer that connections are opened to is spoken to. */
export class ClientTls {
  readonly context: SecureContext;
  /** Sent to the server (SNI); undefined = none is. */
  readonly serverName: string | undefined;
  readonly settings: ClientTlsSettings;
  /** Of the last connection, to be resumed by the next. */
  session: Buffer | undefined;
  /** That the certificate must be for. */
  readonly #name: string;

  /** @param host that is connected to */
  constructor(context: SecureContext, settings: ClientTlsSettings, host: string) {
    this.context = context;
    this.settings = settings;
    this.#name = settings.name ?? host;
    // An address is no server's name (RFC 6066, section 3).
    this.serverName = settings.sendsName && isIP(this.#name) === 0 ? this.#name : undefined;
  }

  /** @returns the code of what is wrong with the certificate's names */
  wrongName(certificate: PeerCertificate): string | undefined {
    const problem = tlsLibrary().checkServerIdentity(this.#name, certificate);
    return problem && "ERR_TLS_CERT_ALTNAME_INVALID";
  }
}

/** @throws what the TLS library says against the settings */
export function clientContext(settings: ClientTlsSettings): SecureContext {
  return tlsLibrary().createSecureContext(clientOptions(settings));
}

export function clientOptions(settings: ClientTlsSettings): SecureContextOptions {
  const { certificate, issuers, revoked } = settings;
  return {
    ...rulesOf(settings, 0),
    ...(certificate && { cert: certificate.certificate, key: certificate.key }),
    ...(issuers && { ca: [...issuers] }),
    ...(revoked.length > 0 && { crl: [...revoked] }),
  };
}
