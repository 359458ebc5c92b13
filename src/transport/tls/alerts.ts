/** Alerts that are sent without the TLS library (RFC 8446, 6.2). */

/** Fatal: there is no server of the name that the client has sent. */
export const unrecognizedName: Buffer = Buffer.from([0x15, 3, 3, 0, 2, 2, 112]);
