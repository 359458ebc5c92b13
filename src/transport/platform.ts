/** The transport of the current runtime: Bun's own sockets on Bun, `node:net` elsewhere. */
import { bun } from "./bun.ts";
import type { Transport } from "./socket.ts";
import { tcp } from "./tcp.ts";

const isBun = "Bun" in globalThis;

/** On Bun 1.4 a stream of HTTP/2 that is not read holds up the others of its connection. */
export const offersHttp2 = !isBun;

export const platform: Transport = isBun ? bun : tcp;
