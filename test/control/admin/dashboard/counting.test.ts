/** What is drawn over time comes from counters that only grow: their differences, and never more memory than planned. */
import { describe, expect, it, test } from "vitest";
import { Feed } from "../../../../src/control/admin/dashboard/feed.ts";
import { History } from "../../../../src/control/admin/dashboard/history.ts";
import { type PointField, pointFields } from "../../../../src/control/admin/dashboard/messages.ts";
import { OutcomeCounts } from "../../../../src/control/admin/dashboard/outcome-counts.ts";
import { quantileOf } from "../../../../src/control/admin/dashboard/traffic.ts";
import {
  dashboardPendingBytesMax,
  dashboardReadersMax,
  historyPointsMax,
  outcomeMinutes,
} from "../../../../src/control/limits.ts";

test("a quantile is evenly spread within its bucket, and there is none of nothing", () => {
  const buckets = [1, 2, 4];
  expect(quantileOf([0, 10, 0, 0], buckets, 0.5)).toBe(1.5);
  expect(quantileOf([5, 5, 0, 0], buckets, 0.75)).toBe(1.5);
  expect(quantileOf([0, 0, 0, 3], buckets, 0.5)).toBe(4);
  expect(quantileOf([0, 0, 0, 0], buckets, 0.5)).toBeNull();
});

test("history forgets its oldest points, and tells the others in their order", () => {
  const history = new History();
  const none = Object.fromEntries(pointFields.map((field) => [field, null]));
  const pointOf = (atMs: number) => ({ ...none, atMs }) as Record<PointField, number | null>;
  for (let atMs = 0; atMs < historyPointsMax + 5; atMs += 1) history.add(pointOf(atMs));
  const { points } = history.message();
  expect(points.map(([atMs]) => atMs)).toEqual(
    Array.from({ length: historyPointsMax }, (_, i) => i + 5),
  );
  expect(points[0]![1]).toBeNull();
});

describe("outcomes", () => {
  const seriesOf = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts).map(([key, count]) => ({
      labels: ["/v1", "m", ...key.split(" ")],
      values: Float64Array.of(count),
    }));
  const minute = 60_000;

  it("are counted by minute; what came before the first look is in none", () => {
    const counts = new OutcomeCounts();
    counts.take(seriesOf({ "GP_OK 200": 5, "GP_DECODE_FAILED 502": 2 }), 0);
    counts.take(seriesOf({ "GP_OK 200": 9, "GP_DECODE_FAILED 502": 3 }), 10);
    counts.take(seriesOf({ "GP_OK 200": 9, "GP_DECODE_FAILED 502": 7 }), 2 * minute);
    const [failed, ...others] = counts.list();
    expect(others).toEqual([]);
    expect(failed).toMatchObject({ code: "GP_DECODE_FAILED", fault: "decode", total: 7 });
    expect(failed!.minutes).toHaveLength(outcomeMinutes);
    expect(failed!.minutes.slice(-3)).toEqual([1, 0, 4]);
    expect(counts.ended).toEqual({ requests: 16, failed: 7 });
    expect([counts.lately, counts.allLately]).toEqual([4, 4]);
  });

  it("that clients are to blame for are listed, and are no failures", () => {
    const counts = new OutcomeCounts();
    counts.take(seriesOf({ "GP_OK 200": 1 }), 0);
    counts.take(seriesOf({ "GP_OK 200": 1, "GP_CLIENT_GONE 499": 3, "GP_OK 503": 2 }), 1);
    expect(counts.list().map(({ code, status }) => `${code} ${status}`)).toEqual([
      "GP_CLIENT_GONE 499",
      "GP_OK 503",
    ]);
    expect(counts.ended.failed).toBe(2);
    counts.take(seriesOf({ "GP_OK 200": 1 }), 60 * minute);
    expect(counts.lately).toBe(0);
  });
});

describe("readers of the feed", () => {
  const sinkOf = (pendingBytes = 0) => {
    const sink = {
      pendingBytes,
      texts: [] as string[],
      isDestroyed: false,
      write: (text: string) => void sink.texts.push(text),
      destroy: () => {
        sink.isDestroyed = true;
      },
    };
    return sink;
  };
  const feedOf = () => new Feed(() => ({ everyMs: 1_000, points: [] }));

  it("get the history and the last of each kind when they come, then what has changed", () => {
    const feed = feedOf();
    const first = sinkOf();
    const leave = feed.add(first);
    feed.send("changes", []);
    feed.send("changes", []);
    const second = sinkOf();
    feed.add(second);
    const names = (texts: string[]) => texts.map((text) => /event: (\w+)/.exec(text)![1]);
    expect(names(first.texts)).toEqual(["history", "changes"]);
    expect(names(second.texts)).toEqual(["history", "changes"]);
    leave();
    feed.send("outcomes", []);
    expect([names(first.texts).length, names(second.texts).length]).toEqual([2, 3]);
  });

  it("that do not read are dropped, and the others are told", () => {
    const feed = feedOf();
    const stuck = sinkOf(dashboardPendingBytesMax + 1);
    const good = sinkOf();
    feed.add(stuck);
    feed.add(good);
    feed.send("changes", []);
    expect([stuck.isDestroyed, stuck.texts.length, good.texts.length]).toEqual([true, 1, 2]);
  });

  it("are bounded in number", () => {
    const feed = feedOf();
    for (let i = 0; i < dashboardReadersMax; i += 1) {
      expect(feed.isFull).toBe(false);
      feed.add(sinkOf());
    }
    expect(feed.isFull).toBe(true);
  });
});
