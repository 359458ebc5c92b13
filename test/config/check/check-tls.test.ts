/** TLS that cannot work is refused where it is written, before a socket is opened. */
import { expect, test } from "vitest";
import { checkConfig } from "../../../src/config/check/check.ts";
import { type ConfigInput, configSchema } from "../../../src/config/schema/schema.ts";

const certificates = [{ file: "/c", keyFile: "/k" }];
const port = { port: 443, tls: true } as const;
const server = (more: object = {}, listen: object = port) => ({
  listen: [listen],
  routes: [],
  ...more,
});

function faultsOf(servers: readonly object[], pools: ConfigInput["pools"] = {}): string[] {
  const input = { servers, pools } as unknown as ConfigInput;
  const runtime = { name: "Node", version: "22", cores: 2, sharedPorts: true } as const;
  return checkConfig(configSchema.parse(input), runtime).map(
    ({ path, message }) => `${path.join(".")}: ${message}`,
  );
}

const missing = 'no "ssl_certificate" is defined for the "listen ... ssl" directive';

test("the default server of an encrypted address needs a certificate", () => {
  expect(faultsOf([server()])).toEqual([`servers.0.listen.0: ${missing}`]);
  expect(faultsOf([server(), server({ tls: { certificates } })])).toHaveLength(1);
  expect(faultsOf([server({ tls: { certificates } }), server({ names: ["a"] })])).toEqual([]);
  expect(faultsOf([server({ tls: { rejectHandshake: true } })])).toEqual([]);
  const chosen = { ...port, defaultServer: true };
  expect(faultsOf([server(), server({ tls: { certificates } }, chosen)])).toEqual([]);
});

test("clients are verified by issuers that are named", () => {
  const of = (clientCertificates: object) =>
    faultsOf([server({ tls: { certificates, clientCertificates } })]);
  expect(of({})).toEqual([
    "servers.0.tls.clientCertificates: clients cannot be verified: no issuers are trusted",
  ]);
  expect(of({ caFile: "/ca" })).toEqual([]);
  expect(of({ verify: "optional_no_ca" })).toEqual([]);
});

test("TLS of a pool that no engine is reached by is a slip", () => {
  const plain = server({}, { port: 80 });
  const pool = (url: string) => ({ p: { engines: [{ url }], tls: { verify: false } } });
  expect(faultsOf([plain], pool("http://a:1"))).toEqual([
    "pools.p.tls: no engine of the pool is reached with TLS",
  ]);
  expect(faultsOf([plain], pool("https://a:1"))).toEqual([]);
});

test("on Bun http2 is not offered with TLS, and refused without", () => {
  const tls = { certificates };
  const servers = [
    server({ tls }, { ...port, http2: true }),
    server({}, { port: 80, http2: true }),
    server({}, { port: 81 }),
  ];
  const config = configSchema.parse({ servers, pools: {} });
  const on = (name: "Bun" | "Node") =>
    checkConfig(config, { name, version: "1", cores: 2, sharedPorts: true }).map(
      ({ path, level }) => `${path.join(".")} ${level}`,
    );
  expect(on("Bun")).toEqual(["servers.0.listen.0 warn", "servers.1.listen.0 emerg"]);
  expect(on("Node")).toEqual([]);
});
