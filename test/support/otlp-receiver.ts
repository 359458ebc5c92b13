/**
 * A collector for tests: takes OTLP over HTTP and decodes its protobuf by the field numbers of the official
 * `trace.proto` (https://github.com/open-telemetry/opentelemetry-proto).
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly name: string;
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  /** 2 = an error. */
  readonly status: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

/** Fields of one message by their numbers: bytes, or a number. */
function fieldsOf(bytes: Buffer): Map<number, (Buffer | number)[]> {
  const fields = new Map<number, (Buffer | number)[]>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    let value: Buffer | number;
    if (tag % 8 === 0) value = varint();
    else {
      const length = tag % 8 === 2 ? varint() : tag % 8 === 1 ? 8 : 4;
      value = bytes.subarray(at, at + length);
      at += length;
    }
    const number = Math.floor(tag / 8);
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

const messages = (fields: ReturnType<typeof fieldsOf>, number: number) =>
  (fields.get(number) ?? []).map((value) => fieldsOf(value as Buffer));
const text = (value: Buffer | number | undefined, encoding: "utf8" | "hex" = "utf8") =>
  value === undefined ? "" : (value as Buffer).toString(encoding);

function attributesOf(span: ReturnType<typeof fieldsOf>, number: number) {
  const pairs = messages(span, number).map((pair) => {
    const value = fieldsOf(pair.get(2)![0] as Buffer);
    const [kind, [first]] = [...value][0] as [number, [Buffer | number]];
    const read = [
      () => text(first),
      () => first === 1,
      () => first as number,
      () => (first as Buffer).readDoubleLE(),
    ][kind - 1]!;
    return [text(pair.get(1)![0]), read()] as const;
  });
  return Object.fromEntries(pairs);
}

function spanOf(span: ReturnType<typeof fieldsOf>): ReceivedSpan {
  const one = (number: number) => span.get(number)?.[0];
  const ms = (number: number) => Number((one(number) as Buffer).readBigUInt64LE()) / 1e6;
  return {
    traceId: text(one(1), "hex"),
    spanId: text(one(2), "hex"),
    parentId: text(one(4), "hex"),
    name: text(one(5)),
    kind: one(6) as number,
    startMs: ms(7),
    endMs: ms(8),
    attributes: attributesOf(span, 9),
    status: (messages(span, 15)[0]?.get(3)?.[0] as number | undefined) ?? 0,
  };
}

export interface OtlpReceiver {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  /** All that came, as it came. */
  readonly bodies: Buffer[];
  readonly headers: Readonly<Record<string, unknown>>[];
  close(): void;
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const bodies: Buffer[] = [];
  const headers: Readonly<Record<string, unknown>>[] = [];
  const server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.on("end", () => {
      const body = Buffer.concat(parts);
      if (incoming.url === "/v1/traces") {
        headers.push(incoming.headers);
        bodies.push(body);
        for (const resource of messages(fieldsOf(body), 1))
          for (const scope of messages(resource, 2)) spans.push(...messages(scope, 2).map(spanOf));
      }
      outgoing.writeHead(200, { "content-type": "application/x-protobuf" }).end();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, spans, bodies, headers, close };
}
