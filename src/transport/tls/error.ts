/** Why an encrypted connection did not come about. */
import { faultWords } from "./verification.ts";

export class TlsError extends Error {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.name = "TlsError";
    this.code = code;
  }

  /** The peer's certificate is not trusted. */
  static untrusted(code: string): TlsError {
    return new TlsError(`certificate verify error: ${faultWords(code)}`, code);
  }

  /** The handshake has failed. */
  static handshake(error: NodeJS.ErrnoException): Error {
    const { code = "", message } = error;
    // Of the connection below, such as ECONNREFUSED.
    if (error.syscall !== undefined && error.syscall !== "read") return error;
    const reason = /:([^:]+)$/.exec(message.trim())?.[1];
    const isLibrary = code.startsWith("ERR_SSL") || message.includes("SSL routines");
    return new TlsError(`TLS handshake failed: ${isLibrary && reason ? reason : message}`, code);
  }
}
