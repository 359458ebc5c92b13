/** What an engine says of itself when it registers, as P2pNcclConnector and MoRIIOConnector say it: one MessagePack map. */
import { decode } from "@msgpack/msgpack";
import { z } from "zod";
import { isHostName, parseHostAndPort } from "../../config/values/engine-url.ts";
import { dpRanksMax } from "../../limits.ts";

declare global {
  /** A browser's type, which the library's declarations take for granted. */
  type BufferSource = ArrayBufferView | ArrayBuffer;
}

export interface Registered {
  readonly leg: "prefill" | "decode";
  /** `host:port`, with ranks behind it where a request has to choose one. */
  readonly url: string;
  readonly attributes: Readonly<Record<string, string>>;
}

const count = z.int().min(1).max(dpRanksMax);

const messageSchema = z.object({
  type: z.enum(["P", "D"]),
  http_address: z.string().max(300),
  // What goes into a header line, between marks of its own.
  zmq_address: z
    .string()
    .max(300)
    .regex(/^(?!.*___)[\x21-\x7e]+$/),
  dp_size: count.optional(),
  tp_size: count.optional(),
  transfer_mode: z.enum(["READ", "WRITE"]).optional(),
});

/** `undefined` = a message that says nothing of an engine; a text = what is wrong with it, as half a sentence. */
export function readRegistration(parts: readonly Buffer[]): Registered | string | undefined {
  // A REQ socket has an empty part before it.
  const body = parts.at(-1)!;
  let message: unknown;
  try {
    message = decode(body);
  } catch {
    return "it is no MessagePack";
  }
  if ((message as { type?: unknown } | null)?.type === "HELLO") return undefined;
  const { data, error } = messageSchema.safeParse(message);
  if (data === undefined) {
    const { path, message: why } = error.issues[0]!;
    return `${path.join(".") || "message"}: ${why}`;
  }
  const address = parseHostAndPort(data.http_address, 0);
  if ("problem" in address) return `http_address: ${address.problem}`;
  if (address.port === 0) return "http_address: there is no port";
  const { dp_size: ranks = 1, tp_size: tpSize, transfer_mode: mode } = data;
  const isPrefill = data.type === "P";
  // Decode chooses a rank by itself; prefill must be told, since decode is told of it.
  const rank = isPrefill && ranks > 1 ? `@0-${ranks - 1}` : "";
  const host = isHostName(address.host) ? address.host : `[${address.host}]`;
  return {
    leg: isPrefill ? "prefill" : "decode",
    url: `${host}:${address.port}${rank}`,
    attributes: {
      zmq_address: data.zmq_address,
      ...(data.dp_size && { dp_size: `${data.dp_size}` }),
      ...(tpSize && { tp_size: `${tpSize}` }),
      ...(mode && { transfer_mode: mode }),
    },
  };
}
