/** The variables of connections with TLS, as nginx's `$ssl_…`. All are empty on a connection without. */
import type { X509Certificate } from "node:crypto";
import type { TlsPeer, TlsSession } from "../../transport/tls/session.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Render } from "./render.ts";

/** Parsed once for each connection. */
const parsed = new WeakMap<TlsPeer, X509Certificate>();

function certificateOf(peer: TlsPeer): X509Certificate {
  let certificate = parsed.get(peer);
  if (certificate === undefined) {
    const crypto = process.getBuiltinModule("node:crypto");
    certificate = new crypto.X509Certificate(peer.certificate);
    parsed.set(peer, certificate);
  }
  return certificate;
}

const ofSession =
  (value: (session: TlsSession) => string): Render =>
  ({ connection: { tls } }) =>
    tls === undefined ? "" : value(tls);

const ofClient =
  (value: (certificate: X509Certificate, context: RequestContext) => string): Render =>
  (context) => {
    const peer = context.connection.tls?.peer;
    return peer === undefined ? "" : value(certificateOf(peer), context);
  };

const pemOf = (certificate: X509Certificate) => certificate.toString().trimEnd();

/** Node writes one part a line, the first first. RFC 2253 wants them in the other order, and ASCII alone. */
function distinguishedName(lines: string): string {
  const parts = lines.split("\n").map((part) => part.replaceAll(" + ", "+"));
  return parts
    .reverse()
    .join(",")
    .replace(/[^\x00-\x7f]/gu, escapedBytes);
}

function escapedBytes(char: string): string {
  const bytes = [...Buffer.from(char)].map((byte) => byte.toString(16).toUpperCase());
  return bytes.map((byte) => `\\${byte}`).join("");
}

const legacyName = (lines: string) =>
  lines
    .split("\n")
    .map((part) => `/${part}`)
    .join("");

const dayMs = 86_400_000;

export const tlsValues = {
  ssl_alpn_protocol: ofSession(({ alpn }) => alpn),
  ssl_cipher: ofSession(({ cipher }) => cipher),
  ssl_client_cert: ofClient((certificate) => pemOf(certificate).replaceAll("\n", "\n\t")),
  ssl_client_escaped_cert: ofClient((certificate) => encodeURIComponent(`${pemOf(certificate)}\n`)),
  ssl_client_fingerprint: ofClient(({ fingerprint }) =>
    fingerprint.replaceAll(":", "").toLowerCase(),
  ),
  ssl_client_i_dn: ofClient(({ issuer }) => distinguishedName(issuer)),
  ssl_client_i_dn_legacy: ofClient(({ issuer }) => legacyName(issuer)),
  ssl_client_raw_cert: ofClient(pemOf),
  ssl_client_s_dn: ofClient(({ subject }) => distinguishedName(subject)),
  ssl_client_s_dn_legacy: ofClient(({ subject }) => legacyName(subject)),
  ssl_client_serial: ofClient(({ serialNumber }) => serialNumber),
  ssl_client_v_end: ofClient(({ validTo }) => validTo),
  ssl_client_v_remain: ofClient(({ validTo }, { sources }) =>
    String(Math.max(0, Math.floor((Date.parse(validTo) - sources.clock.wallMs()) / dayMs))),
  ),
  ssl_client_v_start: ofClient(({ validFrom }) => validFrom),
  ssl_client_verify: ofSession(({ peer }) => {
    if (peer === undefined) return "NONE";
    return peer.fault === undefined ? "SUCCESS" : `FAILED:${peer.fault}`;
  }),
  ssl_early_data: () => "",
  ssl_protocol: ofSession(({ protocol }) => protocol),
  ssl_server_name: ofSession(({ serverName }) => serverName),
  ssl_session_reused: ofSession(({ isReused }) => (isReused ? "r" : ".")),
} satisfies Record<`ssl_${string}`, Render>;
