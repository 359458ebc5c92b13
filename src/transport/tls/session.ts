/** What the handshake of an encrypted connection has agreed on. */

export interface TlsSession {
  /** `TLSv1.3`. */
  readonly protocol: string;
  /** OpenSSL's name. */
  readonly cipher: string;
  /** As the client has sent it (SNI), in lower case; "" = it has sent none. */
  readonly serverName: string;
  /** The protocol above TLS that was agreed on (ALPN), such as `http/1.1`; "" = none was. */
  readonly alpn: string;
  /** Whether it goes on with an earlier session. */
  readonly isReused: boolean;
  /** The peer's certificate; undefined = it has sent none, or was not asked for one. */
  readonly peer: TlsPeer | undefined;
}

export interface TlsPeer {
  /** Its certificate, in DER. */
  readonly certificate: Buffer;
  /** Why it is not trusted, in OpenSSL's words, such as `certificate has expired`; undefined = it is. */
  readonly fault: string | undefined;
  /** The name of that error, such as `CERT_HAS_EXPIRED`. */
  readonly faultCode: string | undefined;
}
