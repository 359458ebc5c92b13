/**
 * The manifests are what an operator applies as they are: each must fit Kubernetes' schema, without a key that it does
 * not know, and what they say of ports, paths, names and times must fit each other and the configuration in them.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
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
import { runtimes } from "../support/runtimes.ts";

const folder = "examples/kubernetes";
const manifests = readdirSync(folder).flatMap((file) =>
  manifestsOf(readFileSync(join(folder, file), "utf8")).map(
    (manifest) => [`${file}: ${manifest.kind}`, manifest] as const,
  ),
);
const all = manifests.map(([, manifest]) => manifest);
const temporary = schemaFolder();

function find(kind: string, name: string): Manifest {
  return all.find((it) => it.kind === kind && it.metadata.name === name)!;
}

const configuration = configurationIn(all);

test.each(manifests)("%s fits the schema of Kubernetes", (_, manifest) => {
  validate(manifest);
});

test("no manifest has a key that Kubernetes does not know, or a value of another type", () => {
  expect(typeErrors(temporary, all)).toBe("");
});

test("the checks find what is wrong", () => {
  const deployment = structuredClone(find("Deployment", "global-proxy"));
  deployment["spec"].template.spec.containers[0].livenessProbe.periodSecond = 3;
  expect(typeErrors(temporary, [deployment])).toContain('"periodSecond"');
  const budget = structuredClone(find("PodDisruptionBudget", "global-proxy"));
  budget["spec"].minAvailable = true;
  expect(() => validate(budget)).toThrow(/minAvailable/);
});

test.skipIf(!runtimes.includes("bun"))(
  "global-proxy -t accepts the configuration in the ConfigMap",
  () => {
    const token = join(temporary, "token");
    writeFileSync(token, "secret\n");
    const file = join(temporary, "global-proxy.yaml");
    writeFileSync(file, configuration.replace("/etc/global-proxy-token/token", token));
    expect(runCommand(["-t", "-c", file], { runtime: "bun" })).toMatchObject({ code: 0 });
  },
);

test("ports, files, names and times are those of the configuration", () => {
  checkPods(all);
  expect(readFileSync("Dockerfile", "utf8")).toMatch(/^STOPSIGNAL SIGQUIT$/m);
  const { pools } = parse(configuration);
  for (const pool of ["prefill", "decode"]) {
    const [, service, port] = /^(\w+)\.llm\.svc\.cluster\.local:(\d+)$/.exec(
      pools[pool].sources[0].dns,
    )!;
    const { spec } = find("Service", service!);
    expect([spec.clusterIP, spec.ports[0].port]).toEqual(["None", Number(port)]);
  }
});

test("the metrics of autoscaling.yaml are exported", () => {
  const text = readFileSync(join(folder, "autoscaling.yaml"), "utf8");
  const names = [...text.matchAll(/global_proxy_\w+?(?=_(?:sum|count)\b)/g)].map(([name]) => name);
  expect(names.length).toBeGreaterThan(0);
  const page = readFileSync("docs/metrics.md", "utf8");
  for (const name of names) expect(page).toContain(`\`${name}\``);
});
