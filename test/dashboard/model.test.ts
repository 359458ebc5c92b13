/** What the page says in words must be true, and read well at three in the morning. */
import { describe, expect, it, test } from "vitest";
import { configLines } from "../../dashboard/model/config-text.ts";
import { decisionText, whyNot } from "../../dashboard/model/decision.ts";
import { EventReader } from "../../dashboard/model/events.ts";
import { flowsBetween, groupsOf } from "../../dashboard/model/fleet.ts";
import { shadowText } from "../../dashboard/model/shadow.ts";
import { emptyState, loadOf, withMessage } from "../../dashboard/model/state.ts";
import { mainCause, segmentsOf } from "../../dashboard/model/waterfall.ts";
import { ageText, durationText, numberText, percentText } from "../../dashboard/model/words.ts";
import type { Fleet, FleetPool, Point, Role } from "../../src/control/admin/dashboard/messages.ts";
import { pointFields } from "../../src/control/admin/dashboard/messages.ts";
import type { LegTimes, RequestRecord } from "../../src/proxy/context/explained/request-record.ts";

test("numbers and times have as many places as somebody reads", () => {
  const numbers = [0, 7.25, 42, 999.6, 1_240, 9_999.7, 13_400, 2_100_000];
  expect(numbers.map(numberText)).toEqual([
    "0",
    "7.3",
    "42",
    "1 000",
    "1 240",
    "10k",
    "13.4k",
    "2.1M",
  ]);
  expect([0.44, 4, 320.4, 1_240, 12_340, 125_000].map(durationText)).toEqual([
    "0.4 ms",
    "4 ms",
    "320 ms",
    "1.24 s",
    "12.3 s",
    "2 min 5 s",
  ]);
  expect([-5, 4_000, 60_000, 125_000, 720_000, 11_520_000, 360_000_000].map(ageText)).toEqual([
    "0 s",
    "4 s",
    "1 min",
    "2 min 5 s",
    "12 min",
    "3 h 12 min",
    "4 d 4 h",
  ]);
  expect([0, 0.004, 0.0999, 0.43, 1].map(percentText)).toEqual([
    "0 %",
    "0.4 %",
    "10 %",
    "43 %",
    "100 %",
  ]);
});

function legOf(leg: LegTimes["leg"], sentMs: number, endMs: number, status = 200): LegTimes {
  const engine = `${leg}-engine`;
  return { leg, pool: leg, engine, address: engine, sentMs, headMs: endMs, endMs, status };
}

function requestOf(legs: readonly LegTimes[], more: Partial<RequestRecord> = {}): RequestRecord {
  return {
    ...{ requestId: "a", at: "2026-11-30T00:00:00.000Z", path: "/", model: "m", isStream: true },
    ...{
      status: 200,
      outcome: "GP_OK",
      message: "",
      waitsFor: "",
      hasFailed: false,
      heldMs: -1,
      firstByteMs: 400,
    },
    ...{ endMs: 1_000, tokens: { prompt: 1, cached: -1, output: 1 }, legs, ...more },
  };
}

describe("the waterfall of a request", () => {
  const shown = (request: RequestRecord) =>
    segmentsOf(request).map(({ kind, fromMs, toMs }) => [kind, fromMs, toMs]);

  it("has its wait, its prefill, the transfer and decode, one after the other", () => {
    const legs = [legOf("prefill", 100, 350), legOf("decode", 351, 1_000)];
    expect(shown(requestOf(legs, { heldMs: 90 }))).toEqual([
      ["queue", 10, 100],
      ["prefill", 100, 350],
      ["transfer", 350, 400],
      ["decode", 400, 1_000],
    ]);
  });

  it("shows each try that has failed, and a request that no engine has served", () => {
    const legs = [
      legOf("prefill", 0, 50, 503),
      legOf("prefill", 50, 90),
      legOf("decode", 90, 200, 0),
    ];
    const request = requestOf(legs, { firstByteMs: -1, endMs: 200, hasFailed: true });
    expect(shown(request)).toEqual([
      ["failed", 0, 50],
      ["prefill", 50, 90],
      ["failed", 90, 200],
    ]);
    expect(shown(requestOf([], { heldMs: 500, firstByteMs: -1, endMs: 500 }))).toEqual([
      ["queue", 0, 500],
    ]);
  });

  it("without a prefill all of the time to the first token is decode's", () => {
    expect(shown(requestOf([legOf("decode", 1, 1_000)]))).toEqual([["decode", 1, 1_000]]);
  });

  it("says what took most of the time to the first token, if anything did", () => {
    const slowPrefill = [legOf("prefill", 0, 390), legOf("decode", 390, 1_000)];
    expect(mainCause(requestOf(slowPrefill))).toBe("The prefill took most of it.");
    const waited = [legOf("prefill", 300, 350), legOf("decode", 350, 1_000)];
    expect(mainCause(requestOf(waited, { heldMs: 300 }))).toContain("waited for a free engine");
    const spread = [legOf("prefill", 130, 260), legOf("decode", 260, 1_000)];
    expect(mainCause(requestOf(spread, { heldMs: 130 }))).toBe("");
  });
});

describe("a decision", () => {
  const healthy = { state: "healthy", inFlight: 1, promptBytes: 0 } as const;
  const base = { leg: "decode", pool: "decode", policy: "least_kv", chosen: "a" };

  it("is told by the score where a policy ranks by one, with why the others were not it", () => {
    const engines = [
      { ...healthy, engine: "a", score: 1 },
      { ...healthy, engine: "b", score: 2.5 },
      { ...healthy, engine: "c", state: "ejected", why: "failing", isCandidate: false } as const,
    ];
    const decision = { ...base, engines };
    expect(decisionText(decision)).toBe(
      "a was chosen: least_kv gave it the lowest score, 1; the next, b, had 2.5.",
    );
    expect(engines.map((one) => whyNot(one, decision))).toEqual([
      "chosen",
      "a higher score",
      "ejected after failures",
    ]);
  });

  it("among equals, alone, and without an engine is told as it is", () => {
    const equals = ["a", "b", "c"].map((engine) => ({ ...healthy, engine, score: 0 }));
    expect(decisionText({ ...base, engines: equals })).toMatch(/lowest score, 0, as 2 others/);
    expect(decisionText({ ...base, engines: equals.slice(0, 1) })).toMatch(/no other engine could/);
    expect(decisionText({ ...base, chosen: "", engines: [] })).toMatch(/No engine of pool decode/);
    const unranked = ["a", "b"].map((engine) => ({ ...healthy, engine }));
    expect(decisionText({ ...base, engines: unranked })).toBe(
      "a was chosen by least_kv among 2 engines.",
    );
  });

  it("of the queue is told by the wait and by what is cached", () => {
    const own = { engine: "a", waitMs: 40, uncachedTokens: 100, prefillMs: 60, score: 100 };
    const late = { engine: "b", waitMs: 200, uncachedTokens: 100, prefillMs: 60, score: 260 };
    const decision = { ...base, heldMs: 15, engines: [own, late] };
    expect(decisionText(decision)).toBe(
      "a was chosen after 15 ms in the queue: it would wait 40 ms and compute 100 uncached tokens in 60 ms, 160 ms sooner than b.",
    );
    expect(whyNot(late, decision)).toBe("160 ms later");
    const cold = { ...own, engine: "b", uncachedTokens: 500, score: 110 };
    expect(decisionText({ ...base, engines: [own, cold] })).toMatch(
      /400 tokens more .* cached there/,
    );
  });
});

test("a shadow is judged by its prefill work, and not before it has followed enough", () => {
  const report = {
    ...{ pool: "p", policy: "predictive", shadow: "llm_d", picks: 12_000, differed: 5_160 },
    ...{ cachedShare: { real: 0.42, shadow: 0.34 }, prefillMs: { real: 100, shadow: 111 } },
  };
  expect(shadowText(report)).toBe(
    "llm_d would have sent 43 % of 12k requests elsewhere: 34 % of prompt tokens cached in place of 42 %, 11 % more prefill work. By that, keep predictive; waiting is not in it.",
  );
  expect(shadowText({ ...report, prefillMs: { real: 100, shadow: 80 } })).toMatch(
    /llm_d looks better/,
  );
  expect(shadowText({ ...report, picks: 20, differed: 1 })).toMatch(/too few to judge/);
  expect(shadowText({ ...report, fault: "boom" })).toBe("llm_d is switched off: boom");
});

describe("the picture of the fleet", () => {
  const poolOf = (pool: string, role: Role): FleetPool => {
    const details = { policy: "random", policySummary: "", hasQueue: false, engines: [] };
    return { pool, role, ...details };
  };
  const about = { version: "1", runtime: "Node", startedMs: 0, isDraining: false };
  const counted = {
    workers: { alive: 1, configured: 1 },
    countsRequests: true,
    keepsRequests: true,
  };
  const fleetOf = (pools: FleetPool[], links: [number, number][]): Fleet => {
    return { ...about, ...counted, pools, links };
  };

  it("has pools beside each other that work for each other, and others apart", () => {
    const pools = [poolOf("d", "decode"), poolOf("other", "serve"), poolOf("p", "prefill")];
    const groups = groupsOf(fleetOf(pools, [[2, 0]]));
    const names = groups.map(({ columns }) =>
      columns.map((column) => column.pools.map(({ pool }) => pool.pool)),
    );
    expect(names).toEqual([[["p"], ["d"]], [["other"]]]);
    expect(groupsOf(fleetOf([], []))).toEqual([]);
  });

  it("draws flows by their share, and none to engines that have left", () => {
    const at = (engine: string) => ({ pool: "x", engine });
    const flows = [
      { from: at("1"), to: at("2"), requests: 8 },
      { from: at("1"), to: at("3"), requests: 2 },
      { from: at("gone"), to: at("2"), requests: 9 },
    ];
    expect(flowsBetween(flows, ["x 1"], ["x 2", "x 3"])).toEqual([
      { from: 0, to: 0, requests: 8, share: 1 },
      { from: 0, to: 1, requests: 2, share: 0.25 },
    ]);
  });
});

test("points that the history has already are not drawn twice, and are bounded in number", () => {
  const pointOf = (atMs: number): Point =>
    pointFields.map((field) => (field === "atMs" ? atMs : 1));
  const points = Array.from({ length: 900 }, (_, i) => pointOf(i));
  let state = withMessage(emptyState, "history", { everyMs: 1_000, points }, 0);
  state = withMessage(state, "point", pointOf(899), 0);
  expect(state.points).toHaveLength(900);
  state = withMessage(state, "point", pointOf(900), 0);
  expect([state.points.length, state.points[0]![0], state.points.at(-1)![0]]).toEqual([
    900, 1, 900,
  ]);
  expect(loadOf(undefined, 0, 0, "inFlight")).toBe(-1);
});

test("events come out whole, however their bytes are cut", () => {
  const text = 'event: point\ndata: [1]\n\nevent: fleet\ndata: {"a":1}\n\n';
  for (let cut = 0; cut <= text.length; cut += 1) {
    const reader = new EventReader();
    const events = [...reader.add(text.slice(0, cut)), ...reader.add(text.slice(cut))];
    expect(events).toEqual([
      { name: "point", data: "[1]" },
      { name: "fleet", data: '{"a":1}' },
    ]);
  }
});

test("the configuration reads as YAML", () => {
  const config = {
    workers: 1,
    pools: { p: { engines: [{ url: "http://a:1", weight: 2 }, "b"] } },
    empty: {},
    list: [],
    on: true,
    text: "a: b # c",
  };
  const text = configLines(config).map(({ indent, key, value }) =>
    `${"  ".repeat(indent)}${key} ${value}`.trimEnd(),
  );
  expect(text).toEqual([
    "workers: 1",
    "pools:",
    "  p:",
    "    engines:",
    "      - url: http://a:1",
    "        weight: 2",
    "      - b",
    "empty: {}",
    "list: []",
    "on: true",
    'text: "a: b # c"',
  ]);
});
