/**
 * The message by which an engine registers, as P2pNcclConnector and MoRIIOConnector of vLLM send it: one MessagePack
 * map.
 */
import { decode } from "@msgpack/msgpack";
import { z } from "zod";
import { isHostName, parseHostAndPort } from "../../../config/values/engine-url.ts";
import { dpRanksMax } from "../../../limits.ts";

declare global {
  /** A browser's type that the MessagePack library's declarations use without declaring it. */
  type BufferSource = ArrayBufferView | ArrayBuffer;
}

export interface Registration {
  readonly leg: "prefill" | "decode";
  /** `host:port`, followed by `@0-N` if a request has to choose a data-parallel rank. */
  readonly url: string;
  readonly attributes: Readonly<Record<string, string>>;
}

const count = z.int().min(1).max(dpRanksMax);

const messageSchema = z.object({
  type: z.enum(["P", "D"]),
  http_address: z.string().max(300),
  // Becomes part of a request id in a header line, where `___` separates its parts.
  zmq_address: z
    .string()
    .max(300)
    .regex(/^(?!.*___)[\x21-\x7e]+$/),
  dp_size: count.optional(),
  tp_size: count.optional(),
  transfer_mode: z.enum(["READ", "WRITE"]).optional(),
});

/** @returns undefined = a valid message that registers no engine; a string = what is wrong with the message */
export function readRegistration(parts: readonly Buffer[]): Registration | string | undefined {
  // A REQ socket sends an empty part first.
  const body = parts.at(-1)!;
  let message: unknown;
  try {
    message = decode(body);
  } catch {
    return "it is not MessagePack";
  }
  if ((message as { type?: unknown } | null)?.type === "HELLO") return undefined;
  const { data, error } = messageSchema.safeParse(message);
  if (data === undefined) {
    const { path, message: why } = error.issues[0]!;
    return `${path.join(".") || "message"}: ${why}`;
  }
  const address = parseHostAndPort(data.http_address, 0);
  if ("problem" in address) return `http_address: ${address.problem}`;
  if (address.port === 0) return "http_address: has no port";
  const { dp_size: ranks = 1, tp_size: tpSize, transfer_mode: mode } = data;
  const isPrefill = data.type === "P";
  // A decode engine chooses a rank by itself. For prefill the proxy chooses, since the decode request names the rank.
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
