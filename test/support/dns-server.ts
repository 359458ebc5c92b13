/** A name server on loopback that says what a test wants: addresses, SRV records, that there is no such name, or nothing. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

export interface SrvAnswer {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

const types = { A: 1, SRV: 33 } as const;
const codes = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;

export class DnsServer {
  /** IPv4 addresses by name; a name that is not here does not exist. */
  readonly addresses = new Map<string, readonly string[]>();
  readonly services = new Map<string, readonly SrvAnswer[]>();
  /** Said whatever the question; undefined = as the maps say. `silent` = no answer. */
  failure: "SERVFAIL" | "REFUSED" | "silent" | undefined;
  ttl = 0;
  /** Questions so far. */
  asked = 0;
  readonly #socket: Socket = createSocket("udp4");

  static async start(): Promise<DnsServer> {
    const server = new DnsServer();
    server.#socket.bind(0, "127.0.0.1");
    await once(server.#socket, "listening");
    server.#socket.on("message", (question, { port, address }) => {
      server.asked += 1;
      if (server.failure === "silent") return;
      server.#socket.send(server.#answer(question), port, address);
    });
    return server;
  }

  get address(): string {
    return `127.0.0.1:${(this.#socket.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#socket.close();
  }

  #answer(question: Buffer): Buffer {
    const { name, type, end } = questionOf(question);
    const records = this.#recordsOf(name, type);
    const isKnown = this.addresses.has(name) || this.services.has(name);
    const code = this.failure ?? (isKnown ? "NOERROR" : "NXDOMAIN");
    const head = Buffer.from(question.subarray(0, 12));
    head.writeUInt16BE(0x8180 | codes[code as keyof typeof codes], 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(code === "NOERROR" ? records.length : 0, 6);
    head.writeUInt32BE(0, 8);
    const answers = code === "NOERROR" ? records : [];
    return Buffer.concat([head, question.subarray(12, end), ...answers]);
  }

  #recordsOf(name: string, type: number): Buffer[] {
    if (type === types.A) {
      const addresses = this.addresses.get(name) ?? [];
      return addresses.map((one) => this.#record(type, Buffer.from(one.split(".").map(Number))));
    }
    if (type !== types.SRV) return [];
    return (this.services.get(name) ?? []).map(({ priority, weight, port, target }) => {
      const numbers = Buffer.alloc(6);
      numbers.writeUInt16BE(priority, 0);
      numbers.writeUInt16BE(weight, 2);
      numbers.writeUInt16BE(port, 4);
      return this.#record(type, Buffer.concat([numbers, nameBytes(target)]));
    });
  }

  /** Its name is that of the question, by reference. */
  #record(type: number, data: Buffer): Buffer {
    const head = Buffer.alloc(12);
    head.writeUInt16BE(0xc00c, 0);
    head.writeUInt16BE(type, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt32BE(this.ttl, 6);
    head.writeUInt16BE(data.length, 10);
    return Buffer.concat([head, data]);
  }
}

function questionOf(message: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at]!; length > 0; length = message[at]!) {
    labels.push(message.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), type: message.readUInt16BE(at + 1), end: at + 5 };
}

function nameBytes(name: string): Buffer {
  const labels = name
    .split(".")
    .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`));
  return Buffer.concat([...labels, Buffer.from([0])]);
}
