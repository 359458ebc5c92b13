/** Why a certificate is not trusted: OpenSSL's names, its words, and what an operator can do about it. */
import type { PeerCertificate } from "node:tls";
import type { TlsPeer } from "./session.ts";

/** OpenSSL's `X509_verify_cert_error_string`, by the names that both runtimes give. */
const words: Readonly<Record<string, string>> = {
  UNABLE_TO_GET_ISSUER_CERT: "unable to get issuer certificate",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "unable to get local issuer certificate",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "unable to verify the first certificate",
  UNABLE_TO_GET_CRL: "unable to get certificate CRL",
  CERT_SIGNATURE_FAILURE: "certificate signature failure",
  CERT_NOT_YET_VALID: "certificate is not yet valid",
  CERT_HAS_EXPIRED: "certificate has expired",
  CRL_NOT_YET_VALID: "CRL is not yet valid",
  CRL_HAS_EXPIRED: "CRL has expired",
  CERT_CHAIN_TOO_LONG: "certificate chain too long",
  CERT_REVOKED: "certificate revoked",
  INVALID_CA: "invalid CA certificate",
  INVALID_PURPOSE: "unsuitable certificate purpose",
  CERT_UNTRUSTED: "certificate not trusted",
  CERT_REJECTED: "certificate rejected",
  DEPTH_ZERO_SELF_SIGNED_CERT: "self-signed certificate",
  SELF_SIGNED_CERT_IN_CHAIN: "self-signed certificate in certificate chain",
  ERR_TLS_CERT_ALTNAME_INVALID: "hostname mismatch",
};

/** Those of a chain that leads to nobody who is trusted: nginx's `optional_no_ca` accepts them. */
const unknownIssuers: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

export function faultWords(code: string): string {
  return words[code] ?? code;
}

/** Whether an error is one of a certificate. */
export function isFault(code: string): boolean {
  return Object.hasOwn(words, code);
}

export function isUnknownIssuer(code: string | undefined): boolean {
  return code !== undefined && unknownIssuers.has(code);
}

/** @param code of the runtime; undefined = it trusts the certificate */
export function peerOf(
  certificate: PeerCertificate | null | undefined,
  code: string | undefined,
  depthMax: number,
): TlsPeer | undefined {
  if (certificate?.raw === undefined) return undefined;
  const isTooLong = code === undefined && intermediates(certificate) > depthMax;
  const faultCode = isTooLong ? "CERT_CHAIN_TOO_LONG" : code;
  const fault = faultCode === undefined ? undefined : faultWords(faultCode);
  return { certificate: certificate.raw, fault, faultCode };
}

/** Certificates between the peer's own and that of the issuer who is trusted. */
export function intermediates(certificate: PeerCertificate): number {
  let count = -1;
  let one = certificate as PeerCertificate & { issuerCertificate?: PeerCertificate };
  while (one.issuerCertificate?.raw !== undefined && !one.raw.equals(one.issuerCertificate.raw)) {
    one = one.issuerCertificate;
    count += 1;
  }
  return Math.max(0, count);
}
