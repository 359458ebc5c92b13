/** Directives about TLS with engines. */
import { flag, reading, text } from "../../reading/arguments.ts";
import { anyHttp } from "../../reading/context.ts";
import { type Directive, honoured, rejected } from "../../reading/directive.ts";
import { depth, file, protocols } from "./arguments.ts";

export const proxySslCertificate = honoured(
  "proxy_ssl_certificate",
  anyHttp,
  file,
  "`tls.certificate` of the pool",
);
export const proxySslCertificateKey = honoured(
  "proxy_ssl_certificate_key",
  anyHttp,
  file,
  "`tls.certificate` of the pool",
);
export const proxySslPasswordFile = honoured(
  "proxy_ssl_password_file",
  anyHttp,
  file,
  "`tls.passphraseFile` of the pool",
);
export const proxySslProtocols = honoured(
  "proxy_ssl_protocols",
  anyHttp,
  protocols,
  "`tls.protocols` of the pool",
  { byDefault: "`TLSv1.2 TLSv1.3`" },
);
export const proxySslCiphers = honoured(
  "proxy_ssl_ciphers",
  anyHttp,
  text,
  "`tls.ciphers` of the pool",
  { byDefault: "DEFAULT" },
);
export const proxySslName = honoured(
  "proxy_ssl_name",
  anyHttp,
  reading(1, 1, ([word], scope) => {
    const name = word!.text;
    if (name === "$proxy_host") return undefined;
    if (name.includes("$")) {
      const hint = "write the name, or $proxy_host";
      scope.fail('variables are not supported in "proxy_ssl_name"', word, hint);
    }
    return name.replace(/:\d+$/, "");
  }),
  "`tls.name` of the pool",
  { byDefault: "`$proxy_host`" },
);
export const proxySslServerName = honoured(
  "proxy_ssl_server_name",
  anyHttp,
  flag,
  "`tls.sendName` of the pool",
  { byDefault: "off" },
);
export const proxySslSessionReuse = honoured(
  "proxy_ssl_session_reuse",
  anyHttp,
  flag,
  "`tls.reuseSessions` of the pool",
  { byDefault: "on" },
);
export const proxySslTrustedCertificate = honoured(
  "proxy_ssl_trusted_certificate",
  anyHttp,
  file,
  "`tls.caFile` of the pool",
);
export const proxySslCrl = honoured("proxy_ssl_crl", anyHttp, file, "`tls.crlFile` of the pool");
export const proxySslVerify = honoured(
  "proxy_ssl_verify",
  anyHttp,
  flag,
  "`tls.verify` of the pool",
  { byDefault: "off" },
);
export const proxySslVerifyDepth = honoured(
  "proxy_ssl_verify_depth",
  anyHttp,
  depth,
  "`tls.depthMax` of the pool",
  { byDefault: "1" },
);

export const proxySslDirectives: readonly Directive[] = [
  proxySslCertificate,
  proxySslCertificateKey,
  proxySslPasswordFile,
  proxySslProtocols,
  proxySslCiphers,
  proxySslName,
  proxySslServerName,
  proxySslSessionReuse,
  proxySslTrustedCertificate,
  proxySslCrl,
  proxySslVerify,
  proxySslVerifyDepth,
  rejected("proxy_ssl_conf_command", "use proxy_ssl_protocols and proxy_ssl_ciphers"),
];
