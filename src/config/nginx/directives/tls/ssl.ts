/** Directives about TLS with clients. */
import {
  flag,
  invalidValue,
  many,
  oneOf,
  reading,
  seconds,
  size,
  text,
  words,
} from "../../reading/arguments.ts";
import { httpAndServer } from "../../reading/context.ts";
import { type Directive, honoured, ignored, rejected } from "../../reading/directive.ts";
import { parseNumber, parseSize } from "../../reading/units.ts";
import { depth, file, protocols } from "./arguments.ts";

export const ssl = honoured(
  "ssl",
  httpAndServer,
  reading(1, 1, (given, scope) => {
    const hint = 'the "ssl" directive is deprecated, use the "listen ... ssl" directive instead';
    scope.loading.report.warn(scope.node.name.position, hint);
    return flag.read(given, scope);
  }),
  "`tls` of each `listen`",
  { byDefault: "off" },
);

export const sslCertificate = honoured(
  "ssl_certificate",
  httpAndServer,
  file,
  "`tls.certificates`",
  {
    repeats: true,
    note: "Files alone; `data:`, engines and variables are errors. One for each kind of key.",
  },
);
export const sslCertificateKey = honoured(
  "ssl_certificate_key",
  httpAndServer,
  file,
  "`tls.certificates`",
  { repeats: true },
);
export const sslPasswordFile = honoured(
  "ssl_password_file",
  httpAndServer,
  file,
  "`tls.passphraseFile`",
);
export const sslProtocols = honoured("ssl_protocols", httpAndServer, protocols, "`tls.protocols`", {
  byDefault: "`TLSv1.2 TLSv1.3`",
  note: "The default is that of nginx since 1.23.4.",
});
export const sslCiphers = honoured("ssl_ciphers", httpAndServer, text, "`tls.ciphers`", {
  byDefault: "`HIGH:!aNULL:!MD5`",
});
export const sslPreferServerCiphers = honoured(
  "ssl_prefer_server_ciphers",
  httpAndServer,
  flag,
  "`tls.preferServerCiphers`",
  { byDefault: "off" },
);
export const sslEcdhCurve = honoured("ssl_ecdh_curve", httpAndServer, text, "`tls.curves`", {
  byDefault: "auto",
});
export const sslDhparam = honoured("ssl_dhparam", httpAndServer, file, "`tls.dhParamsFile`", {
  note: "Bun has no ciphers that use it.",
});
export const sslSessionTickets = honoured(
  "ssl_session_tickets",
  httpAndServer,
  flag,
  "`tls.sessionTickets`",
  { byDefault: "on" },
);
export const sslSessionTicketKey = honoured(
  "ssl_session_ticket_key",
  httpAndServer,
  file,
  "`tls.ticketKeyFile`",
  { repeats: true, note: "Of several files the first is used." },
);
export const sslSessionTimeout = honoured(
  "ssl_session_timeout",
  httpAndServer,
  seconds,
  "`tls.sessionTimeoutMs`",
  { byDefault: "5m" },
);
export const sslBufferSize = honoured(
  "ssl_buffer_size",
  httpAndServer,
  size,
  "`tls.recordBytesMax`",
  { byDefault: "16k" },
);
export const sslClientCertificate = honoured(
  "ssl_client_certificate",
  httpAndServer,
  file,
  "`tls.clientCertificates.caFile`",
);
export const sslTrustedCertificate = honoured(
  "ssl_trusted_certificate",
  httpAndServer,
  file,
  "`tls.clientCertificates.trustedFile`",
);
export const sslVerifyClient = honoured(
  "ssl_verify_client",
  httpAndServer,
  oneOf("off", "on", "optional", "optional_no_ca"),
  "`tls.clientCertificates.verify`",
  { byDefault: "off" },
);
export const sslVerifyDepth = honoured(
  "ssl_verify_depth",
  httpAndServer,
  depth,
  "`tls.clientCertificates.depthMax`",
  { byDefault: "1" },
);
export const sslCrl = honoured("ssl_crl", httpAndServer, file, "`tls.clientCertificates.crlFile`");
export const sslRejectHandshake = honoured(
  "ssl_reject_handshake",
  httpAndServer,
  flag,
  "`tls.rejectHandshake`",
  { byDefault: "off" },
);

/** `off`, `none`, `builtin[:SIZE]`, `shared:NAME:SIZE`. */
const sessionCache = reading(1, 2, (given, scope) => {
  for (const word of given) {
    const [, shared, bytes] = /^shared:([^:]+):(.+)$/.exec(word.text) ?? [];
    if (shared !== undefined && (parseSize(bytes!) ?? 0) >= 8192) continue;
    const builtin = /^builtin(?::(.*))?$/.exec(word.text);
    if (builtin !== null && (builtin[1] === undefined || parseNumber(builtin[1]) !== undefined)) {
      continue;
    }
    if (word.text === "off" || word.text === "none") continue;
    scope.fail(`invalid session cache "${word.text}"`, word);
  }
  return given;
});

const noStapling = "certificates are served without a proof of their issuer (OCSP)";

export const sslDirectives: readonly Directive[] = [
  ssl,
  sslCertificate,
  sslCertificateKey,
  sslPasswordFile,
  sslProtocols,
  sslCiphers,
  sslPreferServerCiphers,
  sslEcdhCurve,
  sslDhparam,
  sslSessionTickets,
  sslSessionTicketKey,
  sslSessionTimeout,
  sslBufferSize,
  sslClientCertificate,
  sslTrustedCertificate,
  sslVerifyClient,
  sslVerifyDepth,
  sslCrl,
  sslRejectHandshake,
  ignored(
    "ssl_session_cache",
    httpAndServer,
    sessionCache,
    "clients keep their sessions themselves, as tickets that all workers can read",
  ),
  ignored(
    "ssl_early_data",
    httpAndServer,
    flag,
    "requests are read once the handshake is over, since early ones could be replayed",
  ),
  ignored("ssl_stapling", httpAndServer, flag, noStapling),
  ignored("ssl_stapling_verify", httpAndServer, flag, noStapling),
  ignored("ssl_stapling_file", httpAndServer, words(1), noStapling),
  ignored("ssl_stapling_responder", httpAndServer, words(1), noStapling),
  ignored(
    "ssl_ocsp_cache",
    httpAndServer,
    reading(1, many, (given, scope) => {
      if (!/^(?:off|shared:[^:]+:.+)$/.test(given[0]!.text)) invalidValue(given[0]!, scope);
    }),
    "issuers are not asked about certificates (OCSP)",
  ),
  rejected("ssl_ocsp", "name revoked certificates in ssl_crl", ["off"]),
  rejected("ssl_ocsp_responder", "name revoked certificates in ssl_crl"),
  rejected("ssl_conf_command", "use ssl_protocols, ssl_ciphers and ssl_ecdh_curve"),
];
