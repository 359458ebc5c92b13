/** Absolute paths of certificates and the like. */
import type { OperatorTlsConfig, PoolTlsConfig, ServerTlsConfig } from "../schema/tls.ts";

type FullPath = (file: string) => string;

export function fullServerTls(tls: ServerTlsConfig, full: FullPath): ServerTlsConfig {
  const { certificates, clientCertificates } = tls;
  return {
    ...withFull(tls, ["passphraseFile", "dhParamsFile", "ticketKeyFile"], full),
    certificates: certificates.map((one) => withFull(one, ["file", "keyFile"], full)),
    ...(clientCertificates && {
      clientCertificates: withFull(clientCertificates, ["caFile", "trustedFile", "crlFile"], full),
    }),
  };
}

export function fullPoolTls(tls: PoolTlsConfig, full: FullPath): PoolTlsConfig {
  const { certificate } = tls;
  return {
    ...withFull(tls, ["passphraseFile", "caFile", "crlFile"], full),
    ...(certificate && { certificate: withFull(certificate, ["file", "keyFile"], full) }),
  };
}

export function fullOperatorTls(tls: OperatorTlsConfig, full: FullPath): OperatorTlsConfig {
  return {
    ...withFull(tls, ["passphraseFile"], full),
    certificate: withFull(tls.certificate, ["file", "keyFile"], full),
  };
}

function withFull<Tls extends object>(
  tls: Tls,
  names: readonly (keyof Tls)[],
  full: FullPath,
): Tls {
  const copy = { ...tls };
  for (const name of names) {
    const file = copy[name];
    if (typeof file === "string") copy[name] = full(file) as Tls[keyof Tls];
  }
  return copy;
}
