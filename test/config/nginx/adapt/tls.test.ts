/** `ssl_…` and `proxy_ssl_…`: as the TLS of servers and pools, with nginx's inheritance and its errors. */
import { describe, expect, it } from "vitest";
import { inputOf, problemsOf } from "../in-memory.ts";

const pair = "ssl_certificate a.crt; ssl_certificate_key /x/a.key;";
const inServer = (text: string, http = "", listen = "listen 443 ssl;") =>
  `events {}\nhttp {\n${http}\nserver { ${listen} ${text} location / { return 204; } }\n}`;
const serverOf = (text: string, http?: string) => inputOf(inServer(text, http)).servers[0]!;

it("files start at the folder of the configuration, and come from the blocks around", () => {
  const { tls, listen } = serverOf("", pair);
  expect(listen).toEqual([{ host: "0.0.0.0", port: 443, tls: true }]);
  expect(tls?.certificates).toEqual([{ file: "/conf/a.crt", keyFile: "/x/a.key" }]);
});

it("all settings of a usual configuration are taken", () => {
  const { tls } = serverOf(
    `${pair} ssl_certificate b.crt; ssl_certificate_key b.key; ssl_protocols TLSv1.2 tlsv1.3;
     ssl_ciphers HIGH:!aNULL; ssl_prefer_server_ciphers on; ssl_ecdh_curve X25519:prime256v1;
     ssl_dhparam dh.pem; ssl_session_cache shared:SSL:10m; ssl_session_timeout 1d;
     ssl_session_tickets off; ssl_buffer_size 4k; ssl_stapling on; ssl_password_file pass;
     ssl_client_certificate ca.crt; ssl_verify_client optional; ssl_verify_depth 3; ssl_crl crl;`,
  );
  expect(tls).toEqual({
    certificates: [
      { file: "/conf/a.crt", keyFile: "/x/a.key" },
      { file: "/conf/b.crt", keyFile: "/conf/b.key" },
    ],
    passphraseFile: "/conf/pass",
    protocols: ["TLSv1.2", "TLSv1.3"],
    ciphers: "HIGH:!aNULL",
    preferServerCiphers: true,
    curves: "X25519:prime256v1",
    dhParamsFile: "/conf/dh.pem",
    sessionTickets: false,
    sessionTimeoutMs: 86_400_000,
    recordBytesMax: 4_096,
    rejectHandshake: false,
    clientCertificates: {
      verify: "optional",
      caFile: "/conf/ca.crt",
      crlFile: "/conf/crl",
      depthMax: 3,
    },
  });
});

it("`ssl on` makes all addresses encrypted, with nginx's warning", () => {
  const text = inServer(`ssl on; ${pair}`, "", "listen 80;");
  expect(inputOf(text).servers[0]!.listen).toEqual([{ host: "0.0.0.0", port: 80, tls: true }]);
  expect(problemsOf(text).join("\n")).toContain('the "ssl" directive is deprecated');
});

describe("what is wrong is said in nginx's words", () => {
  it.each([
    ["ssl_certificate a;", 'no "ssl_certificate_key" is defined for certificate "/conf/a"'],
    [`${pair} ssl_protocols TLSv1.4;`, 'invalid value "TLSv1.4"'],
    [`${pair} ssl_verify_client on;`, "no ssl_client_certificate for ssl_verify_client"],
    [`${pair} ssl_verify_client maybe;`, 'invalid value "maybe"'],
    [`${pair} ssl_session_cache shared:a:1;`, 'invalid session cache "shared:a:1"'],
    ["ssl_certificate $ssl_server_name.crt; ssl_certificate_key k;", "variables are not supported"],
    ["ssl_certificate data:x; ssl_certificate_key k;", '"data:" is not supported'],
  ])("%s", (text, message) => {
    expect(problemsOf(inServer(text)).join("\n")).toContain(message);
  });
});

const inLocations = (...locations: readonly string[]) =>
  `events {}\nhttp { upstream up { server e.test:8443; }\nserver { listen 80;\n${locations
    .map((text, index) => `location /${index}/ { ${text} }`)
    .join("\n")}\n} }`;
const poolsOf = (...locations: readonly string[]) => inputOf(inLocations(...locations)).pools!;

it("an upstream that is reached by https is, by nginx's defaults, not verified", () => {
  expect(poolsOf("proxy_pass https://up;")["up"]).toMatchObject({
    engines: [{ url: "https://e.test:8443" }],
    tls: { verify: false, sendName: false, name: "up", depthMax: 1 },
  });
});

it("an upstream that is used with and without TLS is two pools", () => {
  const text = inLocations(
    "proxy_pass http://up;",
    "proxy_pass https://up;",
    "proxy_pass https://up; proxy_ssl_server_name on;",
    "proxy_pass https://up;",
  );
  const { pools, servers } = inputOf(text);
  const targets = servers[0]!.routes.flatMap(({ target }) =>
    target !== undefined && "pool" in target ? [target.pool] : [],
  );
  expect(targets).toEqual(["up", "up (https)", "up (https) 2", "up (https)"]);
  expect(Object.keys(pools!)).toEqual(["up", "up (https)", "up (https) 2"]);
  expect(pools!["up"]).not.toHaveProperty("tls");
  expect(servers[0]!.routes[1]!.setHeaders).toMatchObject({ Host: "up" });
});

it("a host has the port 443, which `$proxy_host` leaves out", () => {
  const pools = poolsOf("proxy_pass https://e.test/v1;", "proxy_pass https://e.test:8443;");
  expect(pools).toMatchObject({
    "e.test": { engines: [{ url: "https://e.test:443" }] },
    "e.test:8443": { engines: [{ url: "https://e.test:8443" }] },
  });
});

it("verification, certificates and names are taken", () => {
  const [pool] = Object.values(
    poolsOf(
      `proxy_pass https://e.test; proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.crt;
       proxy_ssl_name engine.test; proxy_ssl_server_name on; proxy_ssl_verify_depth 2;
       proxy_ssl_certificate p.crt; proxy_ssl_certificate_key p.key; proxy_ssl_protocols TLSv1.3;
       proxy_ssl_session_reuse off; proxy_ssl_crl crl;`,
    ),
  ).slice(-1);
  expect(pool!.tls).toEqual({
    verify: true,
    caFile: "/conf/ca.crt",
    crlFile: "/conf/crl",
    depthMax: 2,
    name: "engine.test",
    sendName: true,
    certificate: { file: "/conf/p.crt", keyFile: "/conf/p.key" },
    protocols: ["TLSv1.3"],
    reuseSessions: false,
  });
});

it.each([
  ["proxy_pass https://e.test; proxy_ssl_verify on;", "no proxy_ssl_trusted_certificate"],
  ["proxy_pass https://e.test; proxy_ssl_name $host;", "variables are not supported"],
  ["proxy_pass https://$host;", "variables in the host are not supported with https"],
])("%s is refused", (text, message) => {
  expect(problemsOf(inLocations(text)).join("\n")).toContain(message);
});
