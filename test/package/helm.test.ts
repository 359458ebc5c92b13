/**
 * The chart renders what the manifests of examples/kubernetes say, for each set of values: it fits Kubernetes' schema,
 * the proxy accepts its configuration, and values that would not work are refused before anything is installed.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { runCommand } from "../support/command.ts";
import {
  checkPods,
  configurationIn,
  type Manifest,
  manifestsOf,
  schemaFolder,
  typeErrors,
  validate,
} from "../support/kubernetes.ts";
import { hasProgram } from "../support/needs.ts";
import { runtimes } from "../support/runtimes.ts";

const chart = "charts/global-proxy";
const temporary = schemaFolder();

const target = { apiVersion: "apps/v1", kind: "Deployment", name: "vllm-prefill" };
const cases: Readonly<Record<string, object>> = {
  defaults: {},
  everything: {
    image: { tag: "1.2.3", pullSecrets: ["registry"] },
    pools: { prefill: { settings: { queue: {}, signals: {} } } },
    autoscaling: [{ target, minReplicas: 2, maxReplicas: 16, queueSeconds: 0.5 }],
    serviceMonitor: { enabled: true, labels: { release: "prometheus" } },
    networkPolicy: { enabled: true, admin: [{ namespaceSelector: {} }] },
    podAnnotations: { a: "b" },
    podLabels: { c: "d" },
    nodeSelector: { e: "f" },
    tolerations: [{ key: "k", operator: "Exists" }],
    env: [{ name: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "http://collector:4318" }],
    volumes: [{ name: "v", emptyDir: {} }],
    volumeMounts: [{ name: "v", mountPath: "/v" }],
  },
  "engines by address, and of a Service elsewhere": {
    pools: {
      prefill: { service: null, urls: ["http://10.0.0.1:8000", "http://10.0.0.2:8000"] },
      decode: { service: null, dns: "decode.other.svc.cluster.local:8000" },
    },
    admin: { port: 9999, existingSecret: "mine" },
    podDisruptionBudget: { enabled: false },
  },
  "engines that serve whole requests": {
    pools: { prefill: null, decode: { settings: { policy: { name: "cache_aware" } } } },
    route: { prefill: null, settings: { requestTimeoutMs: 60_000 } },
    config: { errorLog: { level: "info" }, workers: 4 },
  },
};

function helm(values: object, ...words: readonly string[]) {
  const file = join(temporary, "values.yaml");
  writeFileSync(file, stringify(values));
  // A helm that was built from its source assumes an old version of Kubernetes.
  const of = ["--namespace", "llm", "--kube-version", "1.32.0", "--values", file];
  const all = [...words, chart, ...of];
  return spawnSync("helm", all, { encoding: "utf8" });
}

function render(values: object): Manifest[] {
  const { status, stdout, stderr } = helm(values, "template", "gp");
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return manifestsOf(stdout);
}

/** Kubernetes itself does not know it. */
const isCore = ({ kind }: Manifest) => kind !== "ServiceMonitor";

describe.skipIf(!hasProgram("helm"))("the chart", () => {
  test.each(Object.entries(cases))("renders %s", (_, values) => {
    const manifests = render(values);
    for (const manifest of manifests.filter(isCore)) validate(manifest);
    expect(typeErrors(temporary, manifests.filter(isCore))).toBe("");
    checkPods(manifests);
    const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
    if (!runtimes.includes("bun")) return;
    const token = join(temporary, "token");
    writeFileSync(token, "secret\n");
    const file = join(temporary, "global-proxy.yaml");
    const configuration = configurationIn(manifests);
    writeFileSync(file, configuration.replace("/etc/global-proxy-token/token", token));
    const { code, stderr } = runCommand(["-t", "-c", file], { runtime: "bun" });
    expect(stderr).not.toMatch(/\[(?:warn|emerg)\]/);
    expect(code).toBe(0);
  });

  test("passes helm's own checks", () => {
    expect(helm({}, "lint", "--strict").status).toBe(0);
  });

  test("asks the headless Services that it makes", () => {
    const manifests = render({});
    const { pools } = parse(configurationIn(manifests));
    for (const pool of ["prefill", "decode"]) {
      const [, service, port] = /^([\w-]+)\.llm\.svc\.cluster\.local:(\d+)$/.exec(
        pools[pool].sources[0].dns,
      )!;
      const { spec } = manifests.find(
        ({ kind, metadata }) => kind === "Service" && metadata.name === service,
      )!;
      expect([spec.clusterIP, spec.ports[0].port]).toEqual(["None", Number(port)]);
      expect(spec.selector.role).toBe(pool);
    }
  });

  test("lets Prometheus in with the token, and nobody else to the admin listener", () => {
    const manifests = render(cases["everything"]!);
    const one = (kind: string, name = "gp-global-proxy") =>
      manifests.find((it) => it.kind === kind && it.metadata.name === name)!;
    const { selector, endpoints } = one("ServiceMonitor")["spec"];
    const admin = one("Service", "gp-global-proxy-admin");
    expect(admin["metadata"].labels).toMatchObject(selector.matchLabels);
    expect(endpoints[0].port).toBe(admin["spec"].ports[0].name);
    const { name, key } = endpoints[0].authorization.credentials;
    expect(one("Secret", name)["stringData"][key]).toMatch(/^\w{32}$/);
    const [clients, operators] = one("NetworkPolicy")["spec"].ingress;
    expect([clients.ports[0].port, clients.from]).toEqual(["http", undefined]);
    expect([operators.ports[0].port, operators.from.length]).toEqual(["admin", 1]);
    const scaler = one("HorizontalPodAutoscaler", "vllm-prefill");
    expect(scaler["spec"].metrics[0].external.target.value).toBe("500m");
  });

  test.each([
    [{ replica: 3 }, /replica/],
    [{ workers: 0 }, /workers/],
    [{ pools: { prefill: { url: "http://a" } } }, /url/],
    [{ pools: { decode: { service: null } } }, /pools\.decode has no engines/],
    [{ route: { target: "decoders" } }, /there is no pool "decoders"; pools: decode, prefill/],
  ])("refuses %j", (values, why) => {
    const { status, stderr } = helm(values, "template", "gp");
    expect(status).not.toBe(0);
    expect(stderr).toMatch(why);
  });
});

test("the versions are those of the program", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8"));
  expect(parse(readFileSync(`${chart}/Chart.yaml`, "utf8"))).toMatchObject({ appVersion: version });
});
