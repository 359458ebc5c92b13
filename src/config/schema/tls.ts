/** TLS: certificates of servers, of the proxy itself to engines, and whom they trust. */
import { z } from "zod";
import { withDetails } from "./describe.ts";
import { milliseconds, text } from "./values.ts";

const certificateSchema = z
  .strictObject({
    file: text.describe("PEM: the certificate, then those of its issuers up to the root."),
    keyFile: text.describe("PEM: its private key."),
  })
  .describe("A certificate and its private key.");

const tlsKeys = {
  passphraseFile: text
    .optional()
    .describe("Passphrases of encrypted keys, one a line; each is tried."),
  protocols: z
    .array(z.enum(["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]))
    .min(1)
    .default(["TLSv1.2", "TLSv1.3"])
    .describe("Versions of TLS."),
  ciphers: text
    .optional()
    .describe("OpenSSL's list of ciphers up to TLS 1.2. The default is the runtime's."),
};

const clientCertificatesSchema = z
  .strictObject({
    verify: z
      .enum(["required", "optional", "optional_no_ca"])
      .default("required")
      .describe(
        withDetails(
          "`required`: requests of clients without a trusted certificate get 400.",
          "`optional`: a client may have none. `optional_no_ca`: nor need its issuer be known;",
          "steps and engines then decide by `$ssl_client_verify`.",
        ),
      ),
    caFile: text.optional().describe("PEM: issuers that are trusted, and named to clients."),
    trustedFile: text.optional().describe("PEM: further issuers that are trusted."),
    crlFile: text.optional().describe("PEM: revoked certificates, a list of each issuer."),
    depthMax: z
      .int()
      .min(0)
      .max(100)
      .default(1)
      .describe("Intermediate certificates that a chain may have."),
  })
  .describe("Certificates that clients are asked for (mutual TLS).");

export const serverTlsSchema = z
  .strictObject({
    certificates: z
      .array(certificateSchema)
      .max(8)
      .default([])
      .describe(
        withDetails(
          "One for each kind of key: a client that can verify ECDSA gets that one.",
          "A server without any has those of the address's default server.",
        ),
      ),
    ...tlsKeys,
    preferServerCiphers: z.boolean().default(false).describe("The order of `ciphers` decides."),
    curves: text.optional().describe("Curves of key exchange, as `X25519:prime256v1`."),
    dhParamsFile: text
      .optional()
      .describe("PEM: parameters for DHE ciphers. Bun has no such ciphers."),
    sessionTickets: z
      .boolean()
      .default(true)
      .describe("Clients may resume sessions, by tickets that all workers can read."),
    ticketKeyFile: text
      .optional()
      .describe("48 random bytes that encrypt tickets, for several proxies behind one address."),
    sessionTimeoutMs: milliseconds
      .default(300_000)
      .describe("How long a session can be resumed; whole seconds."),
    recordBytesMax: z
      .int()
      .min(512)
      .max(16_384)
      .default(16_384)
      .describe("Bytes of a record that is sent."),
    clientCertificates: clientCertificatesSchema.optional(),
    rejectHandshake: z
      .boolean()
      .default(false)
      .describe("Reject the handshakes of clients that ask for this server: for unknown names."),
  })
  .describe("TLS of a server, on its addresses with `tls` (`docs/tls.md`).");

export const poolTlsSchema = z
  .strictObject({
    verify: z
      .boolean()
      .default(true)
      .describe("Whether an engine must have a trusted certificate for its name."),
    caFile: text
      .optional()
      .describe("PEM: issuers that are trusted. The default is the runtime's list."),
    crlFile: text.optional().describe("PEM: revoked certificates, a list of each issuer."),
    depthMax: z
      .int()
      .min(0)
      .max(100)
      .default(4)
      .describe("Intermediate certificates that a chain may have."),
    name: text
      .optional()
      .describe("The name that certificates must be for. The default is the host of each engine."),
    sendName: z.boolean().default(true).describe("Tell engines that name (SNI)."),
    certificate: certificateSchema
      .optional()
      .describe("The proxy's own, for engines that ask for one (mutual TLS)."),
    ...tlsKeys,
    reuseSessions: z.boolean().default(true).describe("Resume sessions of earlier connections."),
  })
  .describe("How engines with `https://` are reached (`docs/tls.md`).");

/** Of the listeners for operators. */
export const operatorTlsSchema = z
  .strictObject({
    certificate: certificateSchema,
    passphraseFile: tlsKeys.passphraseFile,
  })
  .optional()
  .describe("Serve HTTPS. The certificate is read again on a reload.");

export type CertificateConfig = z.output<typeof certificateSchema>;
export type ServerTlsConfig = z.output<typeof serverTlsSchema>;
export type PoolTlsConfig = z.output<typeof poolTlsSchema>;
export type OperatorTlsConfig = NonNullable<z.output<typeof operatorTlsSchema>>;
