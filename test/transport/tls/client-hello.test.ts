/** The first message of a TLS client, which anybody may send: torn, cut, or full of lies about its lengths. */
import net from "node:net";
import tls from "node:tls";
import { expect, test } from "vitest";
import { clientHelloBytesMax } from "../../../src/limits.ts";
import { readClientHello } from "../../../src/transport/tls/client-hello.ts";

/** What a client of this runtime sends first. */
async function helloOf(options: tls.ConnectionOptions): Promise<Buffer> {
  const { promise, resolve } = withResolvers<Buffer>();
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (chunk: Buffer) => {
      resolve(chunk);
      socket.destroy();
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as net.AddressInfo;
  tls.connect({ port, host: "127.0.0.1", ...options }).on("error", () => {});
  const hello = await promise;
  server.close();
  return hello;
}

function withResolvers<T>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

test("the name is read in lower case, also when the message comes byte by byte", async () => {
  const hello = await helloOf({ servername: "Models.Example.ORG" });
  for (let end = 0; end < hello.length; end += 1) {
    expect(readClientHello(hello.subarray(0, end))).toBe("incomplete");
  }
  expect(readClientHello(hello)).toEqual({ serverName: "models.example.org", takesEcdsa: true });
});

test("the message may be torn over several records", async () => {
  const hello = await helloOf({ servername: "a.test" });
  const body = hello.subarray(5);
  const torn = Buffer.concat(
    [body.subarray(0, 2), body.subarray(2, 90), body.subarray(90)].map((part) =>
      Buffer.concat([Buffer.from([0x16, 3, 1, part.length >> 8, part.length & 255]), part]),
    ),
  );
  expect(readClientHello(torn.subarray(0, -1))).toBe("incomplete");
  expect(readClientHello(torn)).toMatchObject({ serverName: "a.test" });
});

test("a client that knows no ECDSA is given no ECDSA certificate", async () => {
  const rsa = await helloOf({
    ciphers: "ECDHE-RSA-AES128-GCM-SHA256",
    maxVersion: "TLSv1.2",
  });
  expect(readClientHello(rsa)).toEqual({ serverName: "", takesEcdsa: false });
  const modern = await helloOf({ sigalgs: "rsa_pss_rsae_sha256" });
  expect(readClientHello(modern)).toMatchObject({ takesEcdsa: false });
});

test("lengths that lie lead to no read beyond the message, and to no wait without end", async () => {
  const hello = await helloOf({ servername: "a.test" });
  for (let at = 5; at < hello.length; at += 1) {
    for (const value of [0, 1, 0x7f, 0xff]) {
      const wrong = Buffer.from(hello);
      wrong[at] = value;
      const state = readClientHello(wrong);
      expect(typeof state === "object" || state === "incomplete").toBe(true);
    }
  }
  const endless = Buffer.alloc(clientHelloBytesMax + 5, 0x41);
  endless.set([0x16, 3, 1, 0xff, 0xff, 1, 0, 0xff, 0xff]);
  expect(readClientHello(endless)).toEqual({ serverName: "", takesEcdsa: true });
  expect(readClientHello(Buffer.from([0x16, 3, 1, 0, 0]))).toMatchObject({ serverName: "" });
});

test("plain text is told from TLS by its first byte, as in nginx", () => {
  expect(readClientHello(Buffer.alloc(0))).toBe("incomplete");
  expect(readClientHello(Buffer.from("GET / HTTP/1.1"))).toBe("plain");
  expect(readClientHello(Buffer.from([0]))).toBe("plain");
  expect(readClientHello(Buffer.from([0x80, 0x2e]))).toMatchObject({ serverName: "" });
});
