/**
 * What an encrypted connection does, on whatever runtime this runs: `tls.test.ts` runs it in its own process and on the
 * others as a program. Prints one line for each check that holds, and throws for one that does not.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import net from "node:net";
import { pathToFileURL } from "node:url";
import { platform } from "../../../src/transport/platform.ts";
import { type Listener, noHandler, type Socket } from "../../../src/transport/socket.ts";
import {
  type CertificatePair,
  ClientTls,
  type ClientTlsSettings,
  clientContext,
  ServerContext,
  type ServerTls,
  type ServerTlsSettings,
} from "../../../src/transport/tls/context.ts";

export interface Files {
  readonly authority: string;
  readonly ec: readonly [certificate: string, key: string];
  readonly rsa: readonly [certificate: string, key: string];
  readonly expired: readonly [certificate: string, key: string];
  readonly client: readonly [certificate: string, key: string];
}

export async function checkTls(files: Files, done: (name: string) => void): Promise<void> {
  const issuer = readFileSync(files.authority, "utf8");
  const pair = ([certificate, key]: readonly [string, string]): CertificatePair => ({
    certificate: readFileSync(certificate, "utf8"),
    key: readFileSync(key, "utf8"),
  });
  const server = (over: Partial<ServerTlsSettings> = {}): ServerTls =>
    new ServerContext({
      certificates: [pair(files.ec), pair(files.rsa)],
      protocols: ["TLSv1.2", "TLSv1.3"],
      prefersOwnCiphers: false,
      ticketKeys: Buffer.alloc(48, 7).toString("base64"),
      sessionTimeoutS: 300,
      recordBytesMax: 16_384,
      alpn: ["http/1.1"],
      ...over,
    });
  const client = (over: Partial<ClientTlsSettings> = {}, name = "a.test"): ClientTls => {
    const settings: ClientTlsSettings = {
      protocols: ["TLSv1.2", "TLSv1.3"],
      issuers: [issuer],
      revoked: [],
      verifies: true,
      depthMax: 1,
      keepsSessions: false,
      name,
      sendsName: true,
      ...over,
    };
    return new ClientTls(clientContext(settings), settings, "127.0.0.1");
  };
  const usual = server();

  {
    const { listener, next } = await listening(usual);
    const outgoing = connect(listener, client());
    outgoing.socket.write(Buffer.from("before the handshake"));
    const incoming = await next();
    await outgoing.connected;
    await incoming.connected;
    assert.equal(await incoming.text(20), "before the handshake");
    const session = incoming.socket.tls;
    assert(typeof session === "object");
    assert.equal(session.protocol, "TLSv1.3");
    assert.equal(session.serverName, "a.test");
    assert.equal(session.peer, undefined);
    incoming.socket.write(Buffer.from("response"));
    assert.equal(await outgoing.text(8), "response");
    incoming.socket.end();
    await outgoing.ended;
    outgoing.socket.destroy();
    await incoming.closed;
    outgoing.socket.write(Buffer.from("after the end"));
    incoming.socket.write(Buffer.from("after the end"));
    listener.close();
    done("bytes go both ways, and an end is an end");
  }

  {
    const { listener, next } = await listening(usual);
    const outgoing = connect(listener, client());
    const incoming = await next();
    await outgoing.connected;
    const bytes = 8_000_000;
    const body = Buffer.alloc(bytes, "0123456789abcdef");
    outgoing.socket.pause();
    await incoming.connected;
    let drained = 0;
    incoming.onDrain = () => {
      drained += 1;
    };
    for (let at = 0; at < bytes; at += 100_000) incoming.socket.write(body, at, at + 100_000);
    await sleep(200);
    assert(incoming.socket.pendingBytes > 0, "a reader that does not read leaves bytes pending");
    assert(incoming.socket.pendingBytes <= bytes);
    const stuck = incoming.socket.writeQueueBytes;
    assert(stuck > 0, "and in the queue of the socket");
    assert.equal(drained, 0);
    outgoing.socket.resume();
    const received = await outgoing.bytes(bytes);
    assert(received.equals(body), "the bytes are those that were sent");
    await until(() => incoming.socket.pendingBytes === 0 && drained > 0);
    await hangUp(outgoing, incoming);
    listener.close();
    done("a slow reader: bytes are pending, and drained once it reads");
  }

  {
    const { listener, next } = await listening(usual);
    const outgoing = connect(listener, client());
    const incoming = await next();
    await outgoing.connected;
    await incoming.connected;
    let pending = 0;
    for (let index = 0; index < 20; index += 1) {
      incoming.socket.write(Buffer.from(`chunk ${index}`.padEnd(50)));
      pending = incoming.socket.pendingBytes;
      await sleep(1);
    }
    assert.equal((await outgoing.bytes(1_000)).length, 1_000);
    await until(() => incoming.socket.pendingBytes === 0);
    assert.equal(pending, 0, "what the kernel has taken is not pending");
    incoming.socket.reset();
    const error = await outgoing.closed;
    if (error !== undefined) assert.match(`${(error as NodeJS.ErrnoException).code}`, /ECONNRESET/);
    await incoming.closed;
    listener.close();
    done("small chunks are taken at once, and a reset closes both ends");
  }

  {
    const { listener, next } = await listening(usual);
    for (const pieces of [["GET / HTTP/1.1\r\n\r\n"], ["G", "ET / HTTP/1.1\r\n\r\n"]]) {
      const raw = net.connect(listener.address.port, "127.0.0.1");
      raw.on("error", () => {});
      for (const piece of pieces) {
        raw.write(piece);
        await sleep(20);
      }
      const incoming = await next();
      await incoming.connected;
      assert.equal(incoming.socket.tls, "missing");
      assert.equal(await incoming.text(18), "GET / HTTP/1.1\r\n\r\n");
      incoming.socket.write(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"));
      incoming.socket.end();
      assert.match(await everything(raw), /^HTTP\/1.1 400/);
      raw.destroy();
    }
    listener.close();
    done("a client that speaks plain text can be told so");
  }

  {
    const { listener, next } = await listening(usual);
    const slow = net.connect(listener.address.port, "127.0.0.1");
    slow.on("error", () => {});
    slow.write(Buffer.from([0x16]));
    const waiting = await next();
    const outgoing = connect(listener, client());
    await outgoing.connected;
    assert.equal(waiting.socket.tls, undefined);
    waiting.socket.destroy();
    await waiting.closed;
    outgoing.socket.destroy();
    slow.destroy();
    // Byte by byte: the first message comes in many pieces.
    const relay = net.createServer((from) => {
      const to = net.connect(listener.address.port, "127.0.0.1");
      let first = true;
      from.on("data", async (chunk) => {
        if (!first) return void to.write(chunk);
        first = false;
        from.pause();
        for (const byte of chunk.subarray(0, 40)) {
          to.write(Buffer.from([byte]));
          await sleep(1);
        }
        to.write(chunk.subarray(40));
        from.resume();
      });
      to.on("data", (chunk) => from.write(chunk));
      for (const socket of [from, to]) socket.on("error", () => {});
      to.on("close", () => from.destroy());
      from.on("close", () => to.destroy());
    });
    await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
    const { port } = relay.address() as net.AddressInfo;
    const through = connect({ address: { host: "127.0.0.1", port } } as Listener, client());
    await through.connected;
    through.socket.write(Buffer.from("hello"));
    through.socket.destroy();
    relay.close();
    listener.close();
    done("a handshake that is slow holds up no other, and comes in pieces");
  }

  {
    const { listener, next } = await listening(usual);
    const kinds: string[] = [];
    for (const options of [
      [],
      ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
      ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
      ["-sigalgs", "RSA-PSS+SHA256"],
    ]) {
      const output = openssl(listener.address.port, options);
      const incoming = await next();
      await incoming.ended;
      incoming.socket.destroy();
      kinds.push(/Peer signature type: ([\w-]+)/.exec(await output)?.[1] ?? "none");
    }
    assert.deepEqual(kinds, ["ECDSA", "RSA-PSS", "ECDSA", "RSA-PSS"]);
    listener.close();
    done("a client gets the certificate that it can verify");
  }

  {
    const { listener } = await listening(server({ certificates: [pair(files.expired)] }));
    const faults = async (tlsOf: ClientTls) => {
      const outgoing = connect(listener, tlsOf);
      outgoing.socket.write(Buffer.from("secret"));
      const error = (await outgoing.closed) as NodeJS.ErrnoException;
      assert.equal(outgoing.isConnected, false);
      return [error.code, error.message];
    };
    assert.deepEqual(await faults(client()), [
      "CERT_HAS_EXPIRED",
      "certificate verify error: certificate has expired",
    ]);
    const right = await listening(usual);
    const [code] = await (async () => {
      const outgoing = connect(right.listener, client({}, "other.test"));
      const error = (await outgoing.closed) as NodeJS.ErrnoException;
      return [error.code];
    })();
    assert.equal(code, "ERR_TLS_CERT_ALTNAME_INVALID");
    const unknown = connect(right.listener, client({ issuers: [pair(files.rsa).certificate] }));
    const error = (await unknown.closed) as NodeJS.ErrnoException;
    assert.match(error.message, /unable to|self-signed/);
    const careless = connect(right.listener, client({ issuers: [], verifies: false }));
    await careless.connected;
    careless.socket.destroy();
    const { name: _, ...nameless } = { ...client({ verifies: false, sendsName: false }).settings };
    const silent = connect(right.listener, new ClientTls(clientContext(nameless), nameless, "h"));
    await silent.connected;
    silent.socket.destroy();
    // A name that is not sent is checked nevertheless.
    const mute = connect(right.listener, client({ sendsName: false }));
    await mute.connected;
    mute.socket.destroy();
    const wrong = connect(right.listener, client({ sendsName: false }, "other.test"));
    assert.match(`${(await wrong.closed)?.message}`, /hostname mismatch/);
    right.listener.close();
    listener.close();
    done("a server that is not trusted gets nothing");
  }

  {
    const clients = { issuers: [issuer], revoked: [], depthMax: 1 };
    const { listener, next } = await listening(server({ clients }));
    const named = connect(listener, client({ certificate: pair(files.client) }));
    const incoming = await next();
    await incoming.connected;
    const session = incoming.socket.tls;
    assert(typeof session === "object" && session.peer !== undefined);
    assert.equal(session.peer.fault, undefined);
    named.socket.destroy();
    const nameless = connect(listener, client());
    const other = await next();
    await other.connected;
    assert(typeof other.socket.tls === "object");
    assert.equal(other.socket.tls.peer, undefined);
    nameless.socket.destroy();
    const strange = connect(listener, client({ certificate: pair(files.expired) }));
    const third = await next();
    await third.connected;
    assert(typeof third.socket.tls === "object");
    assert.equal(third.socket.tls.peer?.fault, "certificate has expired");
    strange.socket.destroy();
    listener.close();
    done("a client's certificate is known, with what is wrong with it");
  }

  {
    const { listener, next } = await listening(usual);
    const tlsOf = client({ keepsSessions: true });
    const reused: boolean[] = [];
    for (let index = 0; index < 2; index += 1) {
      const outgoing = connect(listener, tlsOf);
      const incoming = await next();
      await incoming.connected;
      await outgoing.connected;
      incoming.socket.write(Buffer.from("x"));
      await outgoing.text(1);
      await until(() => tlsOf.session !== undefined);
      reused.push((incoming.socket.tls as { isReused: boolean }).isReused);
      await hangUp(outgoing, incoming);
    }
    assert.deepEqual(reused, [false, true]);
    listener.close();
    done("a second connection resumes the session of the first");
  }

  {
    const { listener, next } = await listening({ handshake: () => undefined });
    const outgoing = connect(listener, client());
    const incoming = await next();
    const error = (await outgoing.closed) as Error;
    assert.match(error.message, /unrecognized|TLSV1_UNRECOGNIZED_NAME|unknown|alert/i);
    await incoming.closed;
    listener.close();
    done("a handshake is rejected with an alert");
  }

  {
    // A listener that turns to TLS while it listens, and back.
    let current: ServerTls | undefined;
    const arrived: End[] = [];
    const listener = await platform.listen(
      { host: "127.0.0.1", port: 0, reusePort: false, backlog: 64, tls: () => current },
      (socket) => void arrived.push(new End(socket)),
    );
    const plain = net.connect(listener.address.port, "127.0.0.1");
    plain.write("plain");
    await until(() => arrived.length === 1);
    assert.equal(await arrived[0]!.text(5), "plain");
    assert.equal(arrived[0]!.socket.tls, undefined);
    current = usual;
    const outgoing = connect(listener, client());
    await outgoing.connected;
    plain.write(" still");
    assert.equal(await arrived[0]!.text(11), "plain still");
    plain.destroy();
    outgoing.socket.destroy();
    listener.close();
    done("a listener turns to TLS, and open connections stay as they are");
  }
}

/** One end of a connection, with what has come. */
class End {
  readonly socket: Socket;
  readonly connected: Promise<void>;
  readonly ended: Promise<void>;
  readonly closed: Promise<Error | undefined>;
  isConnected = false;
  onDrain: () => void = () => {};
  #received: Buffer[] = [];
  #size = 0;

  constructor(make: Socket | ((handler: Socket["handler"]) => Socket)) {
    const [connected, onConnect] = signal();
    const [ended, onEnd] = signal();
    const [closed, onClose] = signal<Error | undefined>();
    this.connected = connected;
    this.ended = ended;
    this.closed = closed;
    const handler = {
      ...noHandler,
      onConnect: () => {
        this.isConnected = true;
        onConnect();
      },
      onData: (chunk: Buffer) => {
        this.#received.push(chunk);
        this.#size += chunk.length;
      },
      onDrain: () => this.onDrain(),
      onEnd,
      onClose,
    };
    if (typeof make === "function") this.socket = make(handler);
    else {
      this.socket = make;
      make.handler = handler;
    }
  }

  async bytes(size: number): Promise<Buffer> {
    await until(() => this.#size >= size);
    return Buffer.concat(this.#received);
  }

  async text(size: number): Promise<string> {
    return (await this.bytes(size)).toString();
  }
}

async function listening(serverTls: ServerTls) {
  const arrived: End[] = [];
  const listener = await platform.listen(
    { host: "127.0.0.1", port: 0, reusePort: false, backlog: 64, tls: () => serverTls },
    (socket) => void arrived.push(new End(socket)),
  );
  const next = async () => {
    await until(() => arrived.length > 0);
    return arrived.shift()!;
  };
  return { listener, next };
}

function connect({ address: { port } }: Pick<Listener, "address">, clientTls: ClientTls): End {
  return new End((handler) =>
    platform.connect({ host: "127.0.0.1", port, tls: clientTls }, handler),
  );
}

/** What `openssl s_client` says of a handshake. */
async function openssl(port: number, options: readonly string[]): Promise<string> {
  const args = ["s_client", "-connect", `127.0.0.1:${port}`, "-servername", "a.test"];
  const program = spawn("openssl", [...args, ...options], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for await (const chunk of program.stdout) text += chunk;
  return text;
}

/** One end closes; the other hears it and closes, too. */
async function hangUp(one: End, other: End): Promise<void> {
  one.socket.destroy();
  await other.ended;
  other.socket.destroy();
  await Promise.all([one.closed, other.closed]);
}

function signal<Value = void>(): [Promise<Value>, (value: Value) => void] {
  let done!: (value: Value) => void;
  const promise = new Promise<Value>((resolve) => {
    done = resolve;
  });
  return [promise, done];
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 2_000; tries += 1) {
    if (holds()) return;
    await sleep(5);
  }
  throw new Error(`never came about: ${holds}`);
}

async function everything(socket: net.Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const timer = setTimeout(() => {
    process.stderr.write("timed out\n");
    process.exit(1);
  }, 60_000);
  await checkTls(JSON.parse(process.argv[2]!) as Files, (name) =>
    process.stdout.write(`${name}\n`),
  );
  clearTimeout(timer);
  process.exit(0);
}
