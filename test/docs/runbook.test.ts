/**
 * What somebody reads at night has to be there: each metric, label, alert, panel, admin path, command, outcome and
 * setting that the runbook names.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { commandNames } from "../../src/cli/commands.ts";
import { adminRoutes } from "../../src/control/admin/routes.ts";
import { metricGroups } from "../../src/observe/metrics/definitions.ts";
import { ejectionReasons } from "../../src/pool/health/ejection.ts";
import { outcomes } from "../../src/proxy/context/outcomes.ts";
import { hasProgram } from "../support/needs.ts";

const page = readFileSync("docs/runbook.md", "utf8");
const unique = (pattern: RegExp) => [
  ...new Set([...page.matchAll(pattern)].map(([, name]) => name!)),
];
const queries = unique(/^```promql\n(.*?)\n```$/gms).flatMap((block) => block.split("\n"));
const metrics = new Map(
  metricGroups.flatMap(({ metrics: all }) => all.map((metric) => [metric.name, metric] as const)),
);

test("each metric is exported, with the labels that are asked for", () => {
  expect(queries.length).toBeGreaterThan(20);
  const named = unique(/\b((?:global_proxy|process)_[a-z_]+)/g);
  const unknown = named.filter((name) => metricOf(name) === undefined);
  expect(unknown).toEqual([]);
  const wrong = queries.flatMap((query) => {
    const all = [...query.matchAll(/\b(?:global_proxy|process)_[a-z_]+/g)].flatMap(
      ([name]) => metricOf(name)!.labels,
    );
    const known = new Set([...all, "le", "job", "instance"]);
    const asked = [...query.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(", "));
    const selected = [...query.matchAll(/([a-z_]+)(?:=~|!~|!=|=)"/g)].map(([, label]) => label!);
    return [...asked, ...selected]
      .filter((label) => !known.has(label))
      .map((label) => `${label}: ${query}`);
  });
  expect(wrong).toEqual([]);
});

function metricOf(name: string) {
  const series = /^(.*)_(?:bucket|sum|count)$/.exec(name)?.[1];
  const whole = metrics.get(name);
  if (whole !== undefined || series === undefined) return whole;
  const histogram = metrics.get(series);
  return histogram?.type === "histogram" ? histogram : undefined;
}

test.skipIf(!hasProgram("promtool"))("Prometheus reads each query", () => {
  const folder = mkdtempSync(join(tmpdir(), "gp-runbook-"));
  try {
    const rules = queries.map((expr, at) => ({ record: `query:${at}`, expr }));
    const file = join(folder, "rules.yaml");
    writeFileSync(file, stringify({ groups: [{ name: "runbook", rules }] }));
    const { status, stderr } = spawnSync("promtool", ["check", "rules", file], {
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    expect(status).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("each alert and each panel is there", () => {
  const { groups } = parse(readFileSync("examples/prometheus/alerts.yaml", "utf8")) as {
    groups: { rules: { alert?: string }[] }[];
  };
  const alerts = groups.flatMap(({ rules }) => rules.flatMap(({ alert }) => alert ?? []));
  expect(unique(/`(GlobalProxy\w+)`/g).filter((name) => !alerts.includes(name))).toEqual([]);
  // Every alert leads here.
  expect(alerts.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  const { panels } = JSON.parse(readFileSync("examples/grafana/global-proxy.json", "utf8")) as {
    panels: { title: string }[];
  };
  const titles = panels.map(({ title }) => title);
  const lines = page.split("\n").filter((line) => /^Panels? \*/.test(line));
  expect(lines.length).toBeGreaterThan(8);
  const named = lines.flatMap((line) =>
    [...line.matchAll(/\*([^*]+)\*/g)].map(([, title]) => title!),
  );
  expect(named.filter((title) => !titles.includes(title))).toEqual([]);
});

test("each admin path is served", () => {
  const served = adminRoutes.map(({ path }) => path.replaceAll(/\{[^}]*\}/g, "{}"));
  const named = unique(/(\/admin\/[\w{}/-]+)/g).map((path) =>
    path.replaceAll(/\{[^}]*\}|REQUEST-ID/g, "{}"),
  );
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((path) => !served.includes(path))).toEqual([]);
});

test("each command is one of the program's, and each switch", () => {
  const named = unique(/global-proxy ([a-z][\w-]*)/g);
  expect(named.length).toBeGreaterThan(2);
  expect(named.filter((name) => !commandNames.includes(name))).toEqual([]);
  const help = readFileSync("src/cli/help.ts", "utf8");
  const signals = unique(/`-s (\w+)`/g);
  expect(signals.filter((name) => !help.includes(name))).toEqual([]);
});

test("each outcome and each cause of an ejection is one", () => {
  const codes = Object.values(outcomes).map(({ code }) => code);
  expect(unique(/\b(GP_[A-Z_]+)/g).filter((code) => !codes.includes(code))).toEqual([]);
  const [, section = ""] = /## An engine flaps(.*?)\n## /s.exec(page) ?? [];
  const rows = [...section.matchAll(/^\| ((?:`[\w-]+`(?:, )?)+) \|/gm)].map(([, cell]) => cell!);
  const causes = rows.flatMap((cell) =>
    [...cell.matchAll(/`([\w-]+)`/g)].map(([, cause]) => cause!),
  );
  expect(causes.sort()).toEqual(ejectionReasons.slice(1).toSorted());
});

test("each setting is one of the configuration's", () => {
  const schema = readFileSync("config.schema.json", "utf8");
  const settings = unique(/`([a-z]+[A-Z]\w*)(?:: [^`]*)?`/g).filter(
    (name) => !notSettings.has(name),
  );
  expect(settings.length).toBeGreaterThan(10);
  expect(settings.filter((name) => !schema.includes(`"${name}"`))).toEqual([]);
});

/** Members of `/admin/engines`. */
const notSettings = new Set(["inFlight", "isUnhealthy"]);
