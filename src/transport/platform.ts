/** The transport of the current runtime: Bun's own sockets on Bun, `node:net` elsewhere. */
import { bun } from "./bun.ts";
import type { Transport } from "./socket.ts";
import { tcp } from "./tcp.ts";

export const platform: Transport = "Bun" in globalThis ? bun : tcp;
