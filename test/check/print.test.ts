/** What engines have sent is shown in reports, and obeyed by no terminal. */
import { expect, test } from "vitest";
import { reportJson, reportText } from "../../src/check/print.ts";
import type { Report } from "../../src/check/report.ts";

test("control characters of an engine are made visible", () => {
  const hostile = "model \u001b[2J\u001b]0;owned\u0007 \u202eevil";
  const report = {
    dialect: undefined,
    engines: [{ name: "e", role: "decode", url: "http://e:1" }],
    findings: [
      { about: "e", code: "models.missing", status: "fail", message: hostile, remedy: hostile },
    ],
    proxyLog: [hostile],
    requests: 1,
    seconds: 1,
  } as unknown as Report;
  const text = reportText(report, { isColoured: false });
  expect(text).not.toMatch(/[\u001b\u0007\u202e]/);
  expect(text.match(/\\x1B\[2J/g)).toHaveLength(3);
  const json = reportJson(report);
  expect(json).not.toMatch(/[\u001b\u0007\u202e]/);
  expect((JSON.parse(json) as Report).findings[0]!.message).toBe(hostile);
});
