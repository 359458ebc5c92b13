/** TLS on both sides: engines that want to know who asks, certificates that change, engines that are not trusted. */
import { execFile } from "node:child_process";
import { copyFileSync, readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import tls from "node:tls";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Authority, type CertificateFiles } from "../support/certificates.ts";
import { type EngineProcess, startEngineProcess } from "../support/engine-process.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/ports.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { instant, Stack } from "../support/stack.ts";

const authority = Authority.create();
const strangers = Authority.create("Strangers");
const ca = readFileSync(authority.files.certificate);
const first = authority.issue("proxy.test");
const second = authority.issue("proxy.test", { kind: "rsa" });
const unmatched = authority.issue("proxy.test");
const ofEngine = authority.issue("engine.test");
const ofProxy = authority.issue("the proxy");
const expired = authority.issue("engine.test", { isExpired: true });
const unknown = strangers.issue("engine.test");

const as = ({ certificate, key }: CertificateFiles) => [
  "--tls-certificate",
  certificate,
  "--tls-key",
  key,
];

describe.each(bunAndOneNode("tls"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  const engines: EngineProcess[] = [];
  let port: number;

  const engine = async (role: string, ...switches: readonly string[]) => {
    const words = ["--role", role, "--port", "0", "--model", "sim", ...instant, ...switches];
    const one = await startEngineProcess("node", words);
    engines.push(one);
    return one.url;
  };

  beforeAll(async () => {
    [port] = (await freePorts(1)) as [number];
  });
  afterAll(async () => {
    for (const one of engines) await one.stop();
    await stack.end();
  });

  const use = ({ certificate, key }: CertificateFiles) => {
    copyFileSync(key, join(stack.folder, "own.key"));
    copyFileSync(certificate, join(stack.folder, "own.crt"));
  };
  const serial = async () => {
    const socket = tls.connect({ port, host: "127.0.0.1", servername: "proxy.test", ca });
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", reject);
    });
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };
  const serialOf = async ({ certificate }: CertificateFiles) => {
    const words = ["x509", "-in", certificate, "-noout", "-serial"];
    const { stdout } = await promisify(execFile)("openssl", words);
    return stdout.trim().replace("serial=", "");
  };
  const post = (path: string, body: object, agent?: { keepAlive: boolean }) => {
    const text = JSON.stringify(body);
    const headers = { "content-type": "application/json", "content-length": text.length };
    return new Promise<{ status: number; text: string }>((resolve, reject) => {
      const where = {
        host: "127.0.0.1",
        port,
        servername: "proxy.test",
        ca,
        agent: false,
      } as const;
      const outgoing = request(
        { ...where, path, method: "POST", headers, ...agent },
        (response) => {
          let received = "";
          response.on("data", (chunk) => {
            received += chunk;
          });
          response.on("end", () => resolve({ status: response.statusCode!, text: received }));
        },
      );
      outgoing.on("error", reject);
      outgoing.end(text);
    });
  };
  const write = (pools: object, more: object = {}) =>
    stack.write(
      "proxy.yaml",
      JSON.stringify({
        pools,
        errorLog: { level: "notice" },
        servers: [
          {
            listen: [{ host: "127.0.0.1", port, tls: true }],
            names: ["proxy.test"],
            tls: { certificates: [{ file: "own.crt", keyFile: "own.key" }] },
            routes: [
              {
                match: { path: "/" },
                target: { pool: "decode" },
                prefill: { pool: "prefill" },
                dialect: "vllm-nixl",
              },
            ],
          },
        ],
        ...more,
      }),
    );

  test("engines that ask for certificates serve, and new certificates disturb nobody", async () => {
    const secured = [...as(ofEngine), "--tls-client-ca", authority.files.certificate];
    const secure = {
      caFile: authority.files.certificate,
      name: "engine.test",
      certificate: { file: ofProxy.certificate, keyFile: ofProxy.key },
    };
    const slow = ["--itl-ms", "20", "--eos-after-tokens", "200"];
    const pools = {
      prefill: { engines: [{ url: await engine("prefill", ...secured) }], tls: secure },
      decode: {
        engines: [{ url: await engine("decode", ...secured, ...slow) }],
        tls: secure,
        healthCheck: {},
      },
    };
    use(first);
    const yaml = write(pools);
    const command = stack.start("-c", yaml);
    await command.saysError(/listening on/);
    expect(await serial()).toBe(await serialOf(first));

    const ask = { model: "sim", prompt: "hello", max_tokens: 150, stream: true };
    const stream = post("/v1/completions", ask);
    use(second);
    await eventually(async () => (await serial()) === (await serialOf(second)));
    expect(command.stderr).toMatch(/own\.(crt|key).* is read again: new connections use it/);
    const { status, text } = await stream;
    expect(status).toBe(200);
    expect(text).toMatch(/data: \[DONE\]\s*$/);

    // A key that does not match: by itself, and on a reload.
    copyFileSync(unmatched.key, join(stack.folder, "own.key"));
    await command.saysError(/own\.key" does not match .*own\.crt".*stays in force/);
    const reload = stack.start("-s", "reload", "-c", yaml);
    await reload.exited;
    await eventually(() => /the old configuration stays in force|\[emerg\]/.test(command.stderr));
    expect(await serial()).toBe(await serialOf(second));
    const check = stack.run("-t", "-c", yaml);
    expect(check.code).toBe(1);
    expect(check.stderr).toMatch(
      /\[emerg\] the key ".*own\.key" does not match .* in .*proxy\.yaml:/,
    );
    command.signal("SIGTERM");
    expect(await command.exited).toBe(0);
  });

  test("an engine that is not trusted gets no request, and the log says why", async () => {
    use(first);
    const trusting = { caFile: authority.files.certificate, name: "engine.test" };
    const pools = {
      prefill: { engines: [{ url: await engine("prefill", ...as(ofEngine)) }], tls: trusting },
      decode: { engines: [{ url: await engine("decode", ...as(expired)) }], tls: trusting },
    };
    const yaml = write(pools);
    const command = stack.start("-c", yaml);
    await command.saysError(/listening on/);
    const ask = { model: "sim", prompt: "hello", max_tokens: 3 };
    expect((await post("/v1/completions", ask)).status).toBe(502);
    await command.saysError(/certificate verify error: certificate has expired.*tls\.caFile/);
    const others = [
      [await engine("decode", ...as(unknown)), /certificate verify error: unable to/],
      [(await engine("decode")).replace("http:", "https:"), /TLS handshake failed.*speak TLS/],
      [
        await engine("decode", ...as(ofEngine), "--tls-client-ca", authority.files.certificate),
        /(TLS handshake failed|certificate required|alert|reset|closed).*/i,
      ],
    ] as const;
    for (const [url, message] of others) {
      write({ ...pools, decode: { engines: [{ url }], tls: trusting } });
      const before = command.stderr.length;
      expect(await stack.start("-s", "reload", "-c", yaml).exited).toBe(0);
      await eventually(() => command.stderr.slice(before).includes("is in force"));
      expect((await post("/v1/completions", ask)).status).toBe(502);
      await eventually(() => message.test(command.stderr.slice(before)));
    }
    // Nothing is verified: it is the operator's word that counts.
    const [[careless]] = others;
    write({ ...pools, decode: { engines: [{ url: careless }], tls: { verify: false } } });
    const before = command.stderr.length;
    expect(await stack.start("-s", "reload", "-c", yaml).exited).toBe(0);
    await eventually(() => command.stderr.slice(before).includes("is in force"));
    expect((await post("/v1/completions", ask)).status).toBe(200);
    command.signal("SIGTERM");
    await command.exited;
  });

  test("operators are served over TLS, and their commands verify whom they ask", async () => {
    use(first);
    const [adminPort] = (await freePorts(1)) as [number];
    const { certificate, key } = authority.issue("localhost", { names: ["127.0.0.1"] });
    const yaml = write(
      {
        prefill: { engines: [{ url: "127.0.0.1:9" }] },
        decode: { engines: [{ url: "127.0.0.1:9" }] },
      },
      { admin: { port: adminPort, tls: { certificate: { file: certificate, keyFile: key } } } },
    );
    const command = stack.start("-c", yaml);
    await command.saysError(/listening on/);
    expect(command.stderr).toContain(
      `the admin pages are at https://127.0.0.1:${adminPort}/admin/`,
    );
    const status = (...words: readonly string[]) => stack.run("status", ...words);
    const { certificate: issuer } = authority.files;
    expect(status("-c", yaml, "--ca", issuer)).toMatchObject({ code: 0 });
    const address = ["--admin", `https://127.0.0.1:${adminPort}`];
    expect(status(...address, "--ca", issuer)).toMatchObject({ code: 0 });
    expect(status(...address, "--insecure")).toMatchObject({ code: 0 });
    expect(status(...address)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/its certificate is not trusted: (unable to|self-signed)/),
    });
    expect(status("--admin", String(adminPort)).code).toBe(1);
    command.signal("SIGTERM");
    await command.exited;
  });
});
