/** `ssl_…` and `proxy_ssl_…` → the TLS of servers and pools. */
import type { ConfigInput } from "../../schema/schema.ts";
import type { Block, Entry } from "../directives/block.ts";
import * as engines from "../directives/tls/proxy-ssl.ts";
import * as clients from "../directives/tls/ssl.ts";
import type { Directive } from "../reading/directive.ts";
import type { Report } from "../syntax/report.ts";

type ServerTlsInput = NonNullable<ConfigInput["servers"][number]["tls"]>;
export type PoolTlsInput = NonNullable<NonNullable<ConfigInput["pools"]>[string]["tls"]>;

/** Undefined = the server has nothing to encrypt with. */
export function readServerTls(block: Block, report: Report): ServerTlsInput | undefined {
  const certificates = readPairs(block, report);
  const rejects = block.value(clients.sslRejectHandshake, false);
  if (certificates.length === 0 && !rejects) return undefined;
  const ticketKeys = block.inherited(clients.sslSessionTicketKey);
  const recordBytes = block.value(clients.sslBufferSize, 16_384);
  const tls: ServerTlsInput = {
    certificates,
    ...value("passphraseFile", block, clients.sslPasswordFile),
    ...value("protocols", block, clients.sslProtocols),
    ciphers: block.value(clients.sslCiphers, "HIGH:!aNULL:!MD5"),
    ...value("preferServerCiphers", block, clients.sslPreferServerCiphers),
    ...value("dhParamsFile", block, clients.sslDhparam),
    ...value("sessionTickets", block, clients.sslSessionTickets),
    ...value("sessionTimeoutMs", block, clients.sslSessionTimeout),
    recordBytesMax: Math.min(16_384, Math.max(512, recordBytes)),
    rejectHandshake: rejects,
  };
  const curves = block.value(clients.sslEcdhCurve, "auto");
  if (curves !== "auto") tls.curves = curves;
  if (ticketKeys.length > 0) tls.ticketKeyFile = ticketKeys[0]!.value;
  if (ticketKeys.length > 1) {
    const { name } = ticketKeys[1]!.node;
    report.notice("ssl_session_ticket_key", name.position, "the first ticket key alone is used");
  }
  const clientCertificates = readClients(block, report);
  return clientCertificates === undefined ? tls : { ...tls, clientCertificates };
}

function readPairs(block: Block, report: Report): NonNullable<ServerTlsInput["certificates"]> {
  const files = block.inherited(clients.sslCertificate);
  const keys = block.inherited(clients.sslCertificateKey);
  return files.flatMap(({ value: file, node }, index) => {
    const key = keys[index];
    if (key === undefined) {
      const message = `no "ssl_certificate_key" is defined for certificate "${file}"`;
      report.emerg(node.name.position, message);
      return [];
    }
    return [{ file, keyFile: key.value }];
  });
}

function readClients(block: Block, report: Report): ServerTlsInput["clientCertificates"] {
  const [verify] = block.inherited(clients.sslVerifyClient);
  if (verify === undefined || verify.value === "off") return undefined;
  const [issuers] = block.inherited(clients.sslClientCertificate);
  if (issuers === undefined && verify.value !== "optional_no_ca") {
    const message = "no ssl_client_certificate for ssl_verify_client";
    report.emerg(verify.node.name.position, message);
  }
  return {
    verify: verify.value === "on" ? "required" : verify.value,
    ...(issuers && { caFile: issuers.value }),
    ...value("trustedFile", block, clients.sslTrustedCertificate),
    ...value("crlFile", block, clients.sslCrl),
    ...value("depthMax", block, clients.sslVerifyDepth),
  };
}

/** @param host that certificates must be for, if it is not that of each engine */
export function readPoolTls(block: Block, host: string | undefined, report: Report): PoolTlsInput {
  const [verify] = block.inherited(engines.proxySslVerify);
  const [issuers] = block.inherited(engines.proxySslTrustedCertificate);
  if (verify?.value && issuers === undefined) {
    const message = "no proxy_ssl_trusted_certificate for proxy_ssl_verify";
    report.emerg(verify.node.name.position, message);
  }
  const name = block.value(engines.proxySslName, undefined) ?? host;
  const [file] = block.inherited(engines.proxySslCertificate);
  const [key] = block.inherited(engines.proxySslCertificateKey);
  if (file !== undefined && key === undefined) {
    const message = `no "proxy_ssl_certificate_key" is defined for certificate "${file.value}"`;
    report.emerg(file.node.name.position, message);
  }
  return {
    verify: verify?.value ?? false,
    ...(issuers && { caFile: issuers.value }),
    ...value("crlFile", block, engines.proxySslCrl),
    depthMax: block.value(engines.proxySslVerifyDepth, 1),
    ...(name !== undefined && { name }),
    sendName: block.value(engines.proxySslServerName, false),
    ...(file && key && { certificate: { file: file.value, keyFile: key.value } }),
    ...value("passphraseFile", block, engines.proxySslPasswordFile),
    ...value("protocols", block, engines.proxySslProtocols),
    ...value("ciphers", block, engines.proxySslCiphers),
    ...value("reuseSessions", block, engines.proxySslSessionReuse),
  };
}

/** The key with the directive's value, if the directive is there. */
function value<Key extends string, Value>(
  key: Key,
  block: Block,
  directive: Directive<Value>,
): { [one in Key]?: Value } {
  const [entry]: Entry<Value>[] = block.inherited(directive);
  return (entry === undefined ? {} : { [key]: entry.value }) as { [one in Key]?: Value };
}
