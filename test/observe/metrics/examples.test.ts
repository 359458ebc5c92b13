/** A dashboard or an alert that asks for a metric or a label which is not there stays empty, and nobody notices. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import type { Metric } from "../../../src/observe/metrics/definition.ts";
import { metricGroups } from "../../../src/observe/metrics/definitions.ts";
import { hasProgram } from "../../support/needs.ts";
import { root } from "../../support/runtimes.ts";

const alertsFile = `${root}examples/prometheus/alerts.yaml`;
const read = (file: string) => readFileSync(`${root}${file}`, "utf8");

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
}

const { groups } = parse(readFileSync(alertsFile, "utf8")) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

const ours = new Set(["job", "instance"]);

/** Series that are exported, with the labels of each. Prometheus adds two. */
const exported = new Map<string, ReadonlySet<string>>(
  metricGroups.flatMap(({ metrics }) => metrics).flatMap((metric) => seriesOf(metric)),
);

function seriesOf({ name, type, labels }: Metric): [string, ReadonlySet<string>][] {
  const all = new Set([...labels, ...ours]);
  if (type !== "histogram") return [[name, all]];
  const suffixes = ["_sum", "_count"] as const;
  return [
    [`${name}_bucket`, new Set([...all, "le"])],
    ...suffixes.map((s) => [name + s, all] as [string, Set<string>]),
  ];
}

/** What is wrong with the metrics and labels of an expression. */
function problemsOf(expr: string, recorded: ReadonlySet<string> = new Set()): string[] {
  const names = [...expr.matchAll(/\b(?:global_proxy[\w:]*|process_\w+|vllm:\w+)/g)].map(
    ([n]) => n,
  );
  const unknown = names.filter((name) => !exported.has(name) && !recorded.has(name));
  const labels = new Set(names.flatMap((name) => [...(exported.get(name) ?? ours)]));
  const matched = [...expr.matchAll(/([\w:]+)\{([^}]*)\}/g)].flatMap(([, name, inside]) =>
    [...inside!.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)]
      .map(([, label]) => label!)
      .filter((label) => exported.get(name!)?.has(label) !== true),
  );
  const grouped = [...expr.matchAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g)]
    .flatMap(([, list]) => list!.split(",").map((label) => label.trim()))
    .filter((label) => !labels.has(label));
  return [...unknown, ...matched, ...grouped].map((what) => `${what} in ${expr}`);
}

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Dashboard {
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly definition?: string }[] };
}

const dashboard = JSON.parse(read("examples/grafana/global-proxy.json")) as Dashboard;

test("alerts name metrics and labels that are exported", () => {
  const recorded = new Set(rules.flatMap(({ record }) => record ?? []));
  expect(rules.flatMap(({ expr }) => problemsOf(expr, recorded))).toEqual([]);
  expect(rules.length).toBeGreaterThan(15);
});

test("the dashboard names metrics and labels that are exported", () => {
  const targets = dashboard.panels.flatMap((panel) => panel.targets ?? []);
  expect(targets.flatMap(({ expr }) => problemsOf(expr))).toEqual([]);
  const asked = dashboard.templating.list.flatMap(({ definition }) => definition ?? []);
  for (const definition of asked) {
    const [, name, label] = /^label_values\((\w+)(?:\{[^}]*\})?, (\w+)\)$/.exec(definition)!;
    expect(exported.get(name!)?.has(label!), definition).toBe(true);
  }
  // Of Grafana 10 and later.
  expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(38);
  const legends = targets.flatMap(({ expr, legendFormat }) =>
    [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)]
      .filter(
        ([, label]) =>
          !expr.includes(label!) &&
          ![...exported].some(([name, labels]) => expr.includes(name) && labels.has(label!)),
      )
      .map(([, label]) => `${label} of ${expr}`),
  );
  expect(legends).toEqual([]);
});

test("each metric of requests and engines has a place on the dashboard or in an alert", () => {
  const all = [...rules, ...dashboard.panels.flatMap((panel) => panel.targets ?? [])];
  const text = all.map(({ expr }) => expr).join("\n");
  const [requests] = metricGroups;
  expect(requests!.metrics.map(({ name }) => name).filter((name) => !text.includes(name))).toEqual(
    [],
  );
});

test("a metric or a label that is not there is found", () => {
  expect(problemsOf("sum by (pool) (rate(global_proxy_nothing_total[5m]))").length).toBe(2);
  expect(problemsOf('global_proxy_workers{pool="a"}')).toHaveLength(1);
  expect(problemsOf("sum by (route) (global_proxy_workers)")).toHaveLength(1);
});

test.skipIf(!hasProgram("promtool"))("promtool accepts the rules", () => {
  const { status, stderr } = spawnSync("promtool", ["check", "rules", alertsFile], {
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([0, ""]);
});
