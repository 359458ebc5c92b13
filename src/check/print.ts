/** A report as text for operators: what was found of each engine, of each pair, of the fleet, and what to do. */
import { styleText } from "node:util";
import { visibleIn, visibleJson } from "../observe/visible.ts";
import { checkOf, type Finding, type FindingStatus, fleet, isGood, type Report } from "./report.ts";

interface Mark {
  readonly sign: string;
  readonly word: string;
  readonly colour: "green" | "yellow" | "red" | "gray";
}

const marks: Readonly<Record<FindingStatus, Mark>> = {
  ok: { sign: "✓", word: "good", colour: "green" },
  warn: { sign: "!", word: "warning", colour: "yellow" },
  fail: { sign: "✗", word: "failed", colour: "red" },
  skip: { sign: "–", word: "skipped", colour: "gray" },
};

const wordLength = Math.max(...Object.values(marks).map(({ word }) => word.length));
const checkLength = "side-channel".length;

export interface PrintOptions {
  readonly isColoured: boolean;
}

export function reportText(given: Report, { isColoured }: PrintOptions): string {
  // Findings repeat what engines have sent.
  const report = visibleIn(given);
  const paint = (colour: Mark["colour"] | "bold", text: string) =>
    isColoured ? styleText(colour, text, { validateStream: false }) : text;
  const subjects = [...new Set(report.findings.map(({ about }) => about))];
  const names = report.engines.map(({ name }) => name);
  const pairs = subjects.filter((about) => about !== fleet && !names.includes(about));
  // What is said of the fleet concerns all that stands above it.
  const ordered = [...new Set([...names, ...pairs, fleet])];
  const parts = ordered.flatMap((about) => {
    const findings = report.findings.filter((finding) => finding.about === about);
    if (findings.length === 0) return [];
    const lines = findings.map((finding) => findingText(finding, paint));
    return [`${paint("bold", about)}\n${lines.join("")}`];
  });
  if (!isGood(report) && report.proxyLog.length > 0) {
    const lines = report.proxyLog.slice(-10).map((line) => `  ${line}\n`);
    parts.push(`${paint("bold", "log of the proxy, its last lines")}\n${lines.join("")}`);
  }
  return `${parts.join("\n")}\n${summary(report, paint)}`;
}

type Paint = (colour: Mark["colour"] | "bold", text: string) => string;

function findingText(finding: Finding, paint: Paint): string {
  const { sign, word, colour } = marks[finding.status];
  const status = paint(colour, `${sign} ${word.padEnd(wordLength)}`);
  const line = `  ${status} ${checkOf(finding).padEnd(checkLength)}  ${finding.message}\n`;
  const indent = " ".repeat(wordLength + checkLength + 7);
  return finding.remedy === undefined ? line : `${line}${indent}→ ${finding.remedy}\n`;
}

function summary(report: Report, paint: Paint): string {
  const { findings, requests, seconds } = report;
  const counts = (Object.keys(marks) as FindingStatus[]).flatMap((status) => {
    const count = findings.filter((finding) => finding.status === status).length;
    if (count === 0) return [];
    const { word, colour } = marks[status];
    return [paint(colour, `${count} ${status === "warn" && count > 1 ? "warnings" : word}`)];
  });
  const line = `${counts.join(", ")}; ${requests} requests in ${seconds} s\n`;
  const command = serveCommand(report);
  return command === undefined ? line : `${line}Serve them with: ${command}\n`;
}

/** How to start the proxy before these engines, if nothing speaks against it. */
function serveCommand(report: Report): string | undefined {
  const { dialect, engines } = report;
  if (dialect === undefined || !isGood(report)) return undefined;
  const flags = (["prefill", "decode", "engine"] as const).flatMap((role) => {
    const urls = engines.filter((engine) => engine.role === role).map(({ url }) => quoted(url));
    return urls.length === 0 ? [] : [`--${role} ${urls.join(" ")}`];
  });
  const named = dialect === "plain" ? [] : [`--dialect ${dialect}`];
  return ["global-proxy", ...named, ...flags].join(" ");
}

/** For a shell: `?` and `&` of attributes mean something else there. */
function quoted(url: string): string {
  return /[?&*]/.test(url) ? `'${url}'` : url;
}

/** For programs. Members and codes stay as they are; more may come. */
export function reportJson(report: Report): string {
  const { findings, ...rest } = report;
  const count = (status: FindingStatus) =>
    findings.filter((finding) => finding.status === status).length;
  const counts = { ok: count("ok"), warn: count("warn"), fail: count("fail"), skip: count("skip") };
  const isFine = isGood(report);
  return visibleJson({ good: isFine, counts, findings, ...rest });
}
