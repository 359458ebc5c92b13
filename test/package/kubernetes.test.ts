/**
 * The manifests are what an operator applies as they are: each must fit Kubernetes' schema, without a key that it does
 * not know, and what they say of ports, paths, names and times must fit each other and the configuration in them.
 */
import { spawnSync } from "node:child_process";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { runCommand } from "../support/command.ts";
import { root, runtimes } from "../support/runtimes.ts";

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  // biome-ignore lint/suspicious/noExplicitAny: what a manifest has is what this file tests.
  readonly [key: string]: any;
}

const folder = "examples/kubernetes";
const manifests = readdirSync(folder).flatMap((file) =>
  parseAllDocuments(readFileSync(join(folder, file), "utf8")).map(
    (document) => [`${file}: ${document.get("kind")}`, document.toJS() as Manifest] as const,
  ),
);
const temporary = mkdtempSync(join(tmpdir(), "gp-kubernetes-"));
symlinkSync(`${root}node_modules`, join(temporary, "node_modules"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

function find(kind: string, name: string): Manifest {
  return manifests.find(([, it]) => it.kind === kind && it.metadata.name === name)![1];
}

const configuration: string = find("ConfigMap", "global-proxy")["data"]["global-proxy.yaml"];
const config = parse(configuration);
const pod = find("Deployment", "global-proxy")["spec"].template.spec;
const [container] = pod.containers;

const load = createRequire(import.meta.url);

/** Throws if the manifest does not fit the schema of its kind. */
function validate(manifest: Manifest): void {
  const { apiVersion, kind } = manifest;
  const models = load(`kubernetes-models/${apiVersion}/${kind}`) as {
    readonly [kind: string]: new (manifest: object) => { validate(): void };
  };
  new models[kind]!(manifest).validate();
}

/** What the compiler says of manifests as literals, which may have no key that their types do not have. */
function typeErrors(checked: readonly Manifest[]): string {
  const lines = checked.map(({ apiVersion, kind }, n) => {
    const text = JSON.stringify(checked[n]);
    return `import type { I${kind} as T${n} } from "kubernetes-models/${apiVersion}/${kind}";
export const m${n}: T${n} = ${text};`;
  });
  writeFileSync(join(temporary, "manifests.ts"), lines.join("\n"));
  const compilerOptions = {
    strict: true,
    noEmit: true,
    module: "NodeNext",
    skipLibCheck: true,
    types: [],
  };
  writeFileSync(
    join(temporary, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: ["manifests.ts"] }),
  );
  writeFileSync(join(temporary, "package.json"), '{ "type": "module" }');
  return spawnSync(`${root}node_modules/.bin/tsc`, ["-p", temporary], { encoding: "utf8" }).stdout;
}

test.each(manifests)("%s fits the schema of Kubernetes", (_, manifest) => {
  validate(manifest);
});

test("no manifest has a key that Kubernetes does not know, or a value of another type", () => {
  expect(typeErrors(manifests.map(([, manifest]) => manifest))).toBe("");
});

test("the checks find what is wrong", () => {
  const deployment = structuredClone(find("Deployment", "global-proxy"));
  deployment["spec"].template.spec.containers[0].livenessProbe.periodSecond = 3;
  expect(typeErrors([deployment])).toContain('"periodSecond"');
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

test("the pod ends after its requests: sleep and drain fit into its grace period", () => {
  const sleepMs = container.lifecycle.preStop.sleep.seconds * 1000;
  expect(sleepMs + config.drainTimeoutMs).toBeLessThan(pod.terminationGracePeriodSeconds * 1000);
  expect(readFileSync("Dockerfile", "utf8")).toMatch(/^STOPSIGNAL SIGQUIT$/m);
});

test("ports, files and names are those of the configuration", () => {
  const ports = Object.fromEntries(
    container.ports.map(({ name, containerPort }: { name: string; containerPort: number }) => [
      name,
      containerPort,
    ]),
  );
  expect(ports).toEqual({ http: config.servers[0].listen[0].port, admin: config.admin.port });
  const mounts = container.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
  expect(mounts).toContain(config.admin.token.file.replace(/\/[^/]*$/, ""));
  // The default pid file is there, and the root file system cannot be written.
  expect(mounts).toContain("/tmp");
  for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
    const { command } = container[probe].exec;
    expect(command.slice(0, 2)).toEqual(["global-proxy", "probe"]);
    expect(command).toContain(`${config.admin.port}`);
    expect(command).toContain(config.admin.token.file);
  }
  expect(container.args[1]).toBe("/etc/global-proxy/global-proxy.yaml");
  for (const pool of ["prefill", "decode"]) {
    const [, service, port] = /^(\w+)\.llm\.svc\.cluster\.local:(\d+)$/.exec(
      config.pools[pool].sources[0].dns,
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
