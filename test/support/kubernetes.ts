/** What an operator gives to Kubernetes: whether it fits Kubernetes' schema, and whether the parts fit each other. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { root } from "./runtimes.ts";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  // biome-ignore lint/suspicious/noExplicitAny: what a manifest has is what tests look at.
  readonly [key: string]: any;
}

export function manifestsOf(yaml: string): Manifest[] {
  const documents = parseAllDocuments(yaml).map((document) => document.toJS() as Manifest | null);
  return documents.filter((one) => one !== null);
}

const load = createRequire(import.meta.url);

/** Throws if the manifest does not fit the schema of its kind. */
export function validate(manifest: Manifest): void {
  const { apiVersion, kind } = manifest;
  const models = load(`kubernetes-models/${apiVersion}/${kind}`) as {
    readonly [kind: string]: new (manifest: object) => { validate(): void };
  };
  new models[kind]!(manifest).validate();
}

/** A folder in which the compiler finds the types. To be called at the top of a test file. */
export function schemaFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "gp-kubernetes-"));
  symlinkSync(`${root}node_modules`, join(folder, "node_modules"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What the compiler says of manifests as literals, which may have no key that their types do not have. */
export function typeErrors(folder: string, checked: readonly Manifest[]): string {
  const lines = checked.map(({ apiVersion, kind }, n) => {
    const text = JSON.stringify(checked[n]);
    return `import type { I${kind} as T${n} } from "kubernetes-models/${apiVersion}/${kind}";
export const m${n}: T${n} = ${text};`;
  });
  writeFileSync(join(folder, "manifests.ts"), lines.join("\n"));
  const compilerOptions = {
    strict: true,
    noEmit: true,
    module: "NodeNext",
    skipLibCheck: true,
    types: [],
  };
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: ["manifests.ts"] }),
  );
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  return spawnSync(`${root}node_modules/.bin/tsc`, ["-p", folder], { encoding: "utf8" }).stdout;
}

/** The proxy's configuration among the manifests. */
export function configurationIn(manifests: readonly Manifest[]): string {
  return manifests.find(({ kind }) => kind === "ConfigMap")!["data"]["global-proxy.yaml"];
}

/** Ports, files and times of the proxies' pods are those of their configuration. */
export function checkPods(manifests: readonly Manifest[]): void {
  const config = parse(configurationIn(manifests));
  const pod = manifests.find(({ kind }) => kind === "Deployment")!["spec"].template.spec;
  const [container] = pod.containers;
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
  const sleepMs = container.lifecycle.preStop.sleep.seconds * 1000;
  expect(sleepMs + config.drainTimeoutMs).toBeLessThan(pod.terminationGracePeriodSeconds * 1000);
  expect(container.securityContext).toMatchObject({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
  });
  expect(pod.securityContext.runAsNonRoot).toBe(true);
}
