/** What is wrong with a certificate is said with its file and the reason, before anything is served by it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type Config, configSchema } from "../../src/config/schema/schema.ts";
import { certificateWarnings, tlsFiles, tlsReaders } from "../../src/control/certificates.ts";
import { Authority } from "../support/certificates.ts";

const authority = Authority.create();
const good = authority.issue("a.test");
const other = authority.issue("b.test");
const secret = authority.issue("c.test", { password: "sesame" });
const expired = authority.issue("d.test", { isExpired: true });
const folder = mkdtempSync(join(tmpdir(), "gp-certificates-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const ticketKeys = Buffer.alloc(48).toString("base64");

function configOf(tls: object, pool: object = {}): Config {
  return configSchema.parse({
    pools: { p: { engines: [{ url: "https://127.0.0.1:1" }], ...pool } },
    servers: [{ listen: [{ port: 1, tls: true }], tls, routes: [] }],
  });
}

function readAll(config: Config) {
  return tlsReaders(config, ticketKeys).map(({ read }) => read().tls);
}

const own = (certificate: string, keyFile: string, more: object = {}) =>
  configOf({ certificates: [{ file: certificate, keyFile }], ...more });
const half = (text: string) => text.slice(0, text.length / 2);

test.each([
  ["it is missing", () => own("/none.crt", good.key), /"\/none\.crt": open\(\) .* \(2: No such/],
  ["it is no PEM", () => own(file("no.crt", "hello"), good.key), /no\.crt": no PEM of it/],
  [
    "it is cut",
    () => own(file("cut.crt", half(readFileSync(good.certificate, "utf8"))), good.key),
    /cannot load certificate ".*cut\.crt"/,
  ],
  [
    "its key is cut",
    () => own(good.certificate, file("cut.key", half(readFileSync(good.key, "utf8")))),
    /cannot load certificate key ".*cut\.key"/,
  ],
  ["the key is another's", () => own(good.certificate, other.key), /key values mismatch/],
  ["the files are swapped", () => own(good.key, good.certificate), /no PEM of it/],
  ["the key is encrypted", () => own(secret.certificate, secret.key), /is encrypted: name a file/],
  [
    "no pass phrase fits",
    () => own(secret.certificate, secret.key, { passphraseFile: file("p1", "wrong\nworse\n") }),
    /no line of ".*p1" is its pass phrase/,
  ],
  [
    "the ciphers are nonsense",
    () => own(good.certificate, good.key, { ciphers: "nonsense" }),
    /cannot be used: /,
  ],
  [
    "an issuer is broken",
    () => {
      const text = readFileSync(authority.files.certificate, "utf8");
      const caFile = file("ca.crt", text + text.replace(/MII/, "XXX"));
      return own(good.certificate, good.key, { clientCertificates: { caFile } });
    },
    /cannot load certificate ".*ca\.crt"/,
  ],
  [
    "the proxy's own key is another's",
    () => configOf({}, { tls: { certificate: { file: good.certificate, keyFile: other.key } } }),
    /key values mismatch/,
  ],
])("a certificate is refused: %s", (_, config, message) => {
  expect(() => readAll(config())).toThrow(message);
});

test("an encrypted key is read with the pass phrase that fits", () => {
  const passphraseFile = file("p2", "wrong\nsesame\n");
  const [tls] = readAll(own(secret.certificate, secret.key, { passphraseFile }));
  expect(tls!.servers[0]!.certificates[0]!.key).toContain("BEGIN PRIVATE KEY");
});

test("a certificate that has expired is used, with a warning", () => {
  const config = own(expired.certificate, expired.key);
  const [tls] = readAll(config);
  expect(certificateWarnings(tls!, config)).toEqual([
    expect.stringMatching(/^the certificate ".*" has expired: Feb {2}1 00:00:00 2020 GMT$/),
  ]);
  const fine = own(good.certificate, good.key);
  expect(certificateWarnings(readAll(fine)[0]!, fine)).toEqual([]);
});

test("all files are watched that are read", () => {
  const config = configOf(
    {
      certificates: [{ file: good.certificate, keyFile: good.key }],
      passphraseFile: "/pass",
      dhParamsFile: "/dh",
      ticketKeyFile: "/tickets",
      clientCertificates: { caFile: "/ca", trustedFile: "/trusted", crlFile: "/crl" },
    },
    {
      tls: { caFile: "/ca2", crlFile: "/crl2", certificate: { file: "/own", keyFile: "/key" } },
    },
  );
  expect(tlsFiles(config)).toEqual([
    good.certificate,
    good.key,
    ...["/pass", "/tickets", "/dh", "/ca", "/trusted", "/crl"],
    ...["/own", "/key", "/ca2", "/crl2"],
  ]);
});
