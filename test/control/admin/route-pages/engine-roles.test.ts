/** A page about engines names each once, by its role, and no server that is none. */
import { expect, test } from "vitest";
import { configSchema } from "../../../../src/config/schema/schema.ts";
import {
  type Endpoint,
  poolsByRole,
} from "../../../../src/control/admin/route-pages/engine-roles.ts";
import { healthReport } from "../../../../src/control/admin/route-pages/omni-health.ts";
import { inputOf } from "../../../config/nginx/in-memory.ts";

const roles = (conf: string) => {
  const found = poolsByRole(configSchema.parse(inputOf(conf)));
  return Object.fromEntries(Object.entries(found).map(([role, names]) => [role, [...names]]));
};
const upstream = (name: string) => `upstream ${name} { server 127.0.0.1:9000; }`;

test("servers of metrics are no engines", () => {
  const conf = `events {} http { ${upstream("prefill_endpoints")} ${upstream("d")} ${upstream("m")}
    server { location /v1 { omni_proxy d; } location = /metrics { proxy_pass http://m; } } }`;
  expect(roles(conf)).toEqual({ encode: [], prefill: ["prefill_endpoints"], decode: ["d"] });
});

test("a location that prefills are routed to is followed", () => {
  const conf = `events {} http { ${upstream("p")} ${upstream("d")} ${upstream("e")} server {
    location /v1 { prefill /p_sub; pd_encode /e_sub; proxy_pass http://d; }
    location /p_sub { internal; proxy_pass http://p; }
    location /e_sub { internal; proxy_pass http://e; } } }`;
  expect(roles(conf)).toEqual({ encode: ["e"], prefill: ["p"], decode: ["d"] });
});

test("engines that serve whole requests count as decode engines", () => {
  const conf = `events {} http { ${upstream("all")} server { location / { proxy_pass http://all; } } }`;
  expect(roles(conf)).toEqual({ encode: [], prefill: [], decode: ["all"] });
});

test("engines of each model of a route count", () => {
  const engines = [{ url: "http://127.0.0.1:9000" }];
  const pools = { a: { engines }, b: { engines }, c: { engines } };
  const models = [
    { prefill: { pool: "a" }, target: { pool: "b" }, dialect: "omni" },
    { target: { pool: "c" } },
  ];
  const routes = [{ match: { path: "/" }, dialect: "plain", models }];
  const servers = [{ listen: [{ port: 80 }], routes }];
  const { prefill, decode } = poolsByRole(configSchema.parse({ pools, servers }));
  expect([[...prefill], [...decode]]).toEqual([["a"], ["b", "c"]]);
});

const endpoint = (role: Endpoint["role"], index: number): Endpoint => ({
  role,
  index,
  address: { key: `10.0.0.${index}:80`, host: `10.0.0.${index}`, port: 80 },
  engines: [],
});
const [prefill, decode, spare] = [
  endpoint("prefill", 0),
  endpoint("decode", 0),
  endpoint("decode", 1),
];

test.each([
  ["all are well", [prefill, decode, spare], [prefill, decode, spare], 200],
  ["one of two is down", [prefill, decode, spare], [prefill, decode], 206],
  ["no prefill engine is left", [prefill, decode], [decode], 503],
  ["no decode engine is left", [prefill, decode], [prefill], 503],
  ["there are no prefill engines", [decode], [decode], 200],
])("health says what it means when %s", (_, endpoints, well, code) => {
  expect(healthReport(endpoints, (one) => well.includes(one), 0).code).toBe(code);
});
