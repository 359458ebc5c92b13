/** What is sent when, and what a failure leads to: one table for each order in which engines hear of a request. */
import { describe, expect, it } from "vitest";
import type { PickFailure } from "../../../../src/pool/pool.ts";
import { type Outcome, outcomes } from "../../../../src/proxy/context/outcomes.ts";
import { Exchange } from "../../../../src/proxy/pd/exchange/exchange.ts";
import type { Order } from "../../../../src/proxy/pd/exchange/exchange-actions.ts";

type Call = (exchange: Exchange) => void;

/** What can happen. `+` = the route allows another engine. */
const events: Readonly<Record<string, Call>> = {
  begin: (exchange) => exchange.startAttempt(),
  "prefill done": (exchange) => exchange.prefillDone(),
  "prefill refused": (exchange) => exchange.prefillRefused(false, true),
  "prefill refused +": (exchange) => exchange.prefillRefused(true, true),
  "prefill failed": (exchange) => exchange.prefillFailed("error", false),
  "prefill failed +": (exchange) => exchange.prefillFailed("error", true),
  "prefill timed out": (exchange) => exchange.prefillFailed("timeout", false),
  "decode answers": (exchange) => exchange.decodeResponded(true, false),
  "decode waits": (exchange) => exchange.decodeResponded(true, false, true),
  "nothing sent": (exchange) => exchange.retractResponse(),
  "decode refuses": (exchange) => exchange.decodeResponded(false, false),
  "decode refuses +": (exchange) => exchange.decodeResponded(false, true),
  "decode failed": (exchange) => exchange.decodeFailed("error", false, false),
  "decode failed +": (exchange) => exchange.decodeFailed("error", true, false),
  "decode unreached +": (exchange) => exchange.decodeFailed("error", true, true),
  "decode invalid": (exchange) => exchange.decodeFailed("invalid", false, false),
  "gives up": (exchange) => exchange.decodePreempted(true, true),
  "gives up before it begins": (exchange) => exchange.decodePreempted(false, true),
  "gives up for good": (exchange) => exchange.decodePreempted(true, false),
  "gives up unheard for good": (exchange) => exchange.decodePreempted(false, false),
  "calls back": (exchange) => exchange.calledBack(),
  ended: (exchange) => exchange.responseEnded(),
  "client gone": (exchange) => exchange.abort(outcomes.clientGone),
  "memory full": (exchange) => exchange.abort(outcomes.bodiesFull),
};

interface Setting {
  readonly prefillTries?: number;
  readonly decodeTries?: number;
  /** What the sends say, one after the other. */
  readonly places?: readonly (PickFailure | undefined)[];
  /** Of the decode engines, before the prefill. */
  readonly vacancy?: PickFailure;
  readonly choosesDecodeFirst?: boolean;
  readonly fallsBack?: boolean;
}

/** The commands of an exchange, without the cancels of legs that are over anyway. */
function run(order: Order, happened: readonly string[], setting: Setting = {}): string[] {
  const commands: string[] = [];
  const { prefillTries = 3, decodeTries = 3, places = [], vacancy } = setting;
  const { choosesDecodeFirst = false, fallsBack = false } = setting;
  const live = new Set<string>();
  let sends = 0;
  const reserved = new Set<string>();
  const exchange = new Exchange(
    {
      order,
      choosesDecodeFirst,
      tries: { prefill: prefillTries, decode: decodeTries },
      fallsBack,
    },
    {
      openAttempt() {},
      lookFor: () => vacancy,
      countRetry: () => undefined,
      waitAgain: () => false,
      reserve(leg) {
        const place = places[sends++];
        if (place === undefined) reserved.add(leg);
        return place;
      },
      send(leg) {
        const place = reserved.delete(leg) ? undefined : places[sends++];
        if (place === undefined) {
          live.add(leg);
          commands.push(`send ${leg}`);
        }
        return place;
      },
      cancel: (leg) => void (live.delete(leg) && commands.push(`cancel ${leg}`)),
      deliverFrom: (leg) => void commands.push(`answer from ${leg}`),
      respondToCallback: (ok) => void commands.push(`callback ${ok}`),
      finish: ({ code }) => void commands.push(code),
    },
  );
  for (const event of happened) {
    // A leg that failed or has ended is no longer there to be cancelled.
    const [leg] =
      /^(?:prefill|decode)(?= (?:done|failed|timed|unreached|invalid))/.exec(event) ?? [];
    if (leg !== undefined) live.delete(leg);
    if (event === "ended") live.delete(exchange.deliveringLeg ?? "");
    events[event]!(exchange);
  }
  return commands;
}

type Row = readonly [happened: string, commands: string, setting?: Setting];

const tables: Readonly<Record<Order, readonly Row[]>> = {
  "prefill-first": [
    ["begin", "GP_DECODE_FULL", { vacancy: "at-capacity" }],
    ["begin", "GP_NO_DECODE_ENGINE", { choosesDecodeFirst: true, places: ["no-healthy-engine"] }],
    [
      "begin, prefill done, decode unreached +",
      "send prefill, send decode, send prefill",
      { choosesDecodeFirst: true },
    ],
    ["begin, prefill failed", "send prefill, send decode", { fallsBack: true }],
    ["begin", "send decode", { fallsBack: true, places: ["no-healthy-engine"] }],
    [
      "begin, prefill refused, ended",
      "send prefill, answer from prefill, GP_OK",
      { fallsBack: true },
    ],
    [
      "begin, prefill done, decode answers, ended",
      "send prefill, send decode, answer from decode, GP_OK",
    ],
    ["begin, prefill refused, ended", "send prefill, answer from prefill, GP_OK"],
    [
      "begin, prefill refused +, prefill done",
      "send prefill, cancel prefill, send prefill, send decode",
    ],
    ["begin, prefill failed +, prefill done", "send prefill, send prefill, send decode"],
    ["begin, prefill failed", "send prefill, GP_PREFILL_FAILED"],
    ["begin, prefill timed out", "send prefill, GP_PREFILL_TIMEOUT"],
    // The KV cache is gone with the engine that had begun to read it.
    ["begin, prefill done, decode failed +", "send prefill, send decode, send prefill"],
    ["begin, prefill done, decode unreached +", "send prefill, send decode, send decode"],
    [
      "begin, prefill done, decode refuses +",
      "send prefill, send decode, cancel decode, send prefill",
    ],
    [
      "begin, prefill done, decode refuses, ended",
      "send prefill, send decode, answer from decode, GP_OK",
    ],
    [
      "begin, prefill done, decode answers, gives up, prefill done, decode answers, ended",
      "send prefill, send decode, answer from decode, cancel decode, send prefill, send decode, answer from decode, GP_OK",
    ],
    // Somebody has begun to read: a status, another answer would be wrong there.
    [
      "begin, prefill done, decode answers, gives up, prefill refused",
      "send prefill, send decode, answer from decode, cancel decode, send prefill, cancel prefill, GP_TRUNCATED",
    ],
    [
      "begin, prefill done, decode answers, gives up, prefill failed",
      "send prefill, send decode, answer from decode, cancel decode, send prefill, GP_TRUNCATED",
    ],
    [
      "begin, prefill done, decode answers, gives up, prefill done, decode refuses",
      "send prefill, send decode, answer from decode, cancel decode, send prefill, send decode, cancel decode, GP_TRUNCATED",
    ],
    [
      "begin, prefill done, decode answers, gives up, prefill failed +, prefill done, decode answers, ended",
      "send prefill, send decode, answer from decode, cancel decode, send prefill, send prefill, send decode, answer from decode, GP_OK",
    ],
    [
      "begin, prefill done, decode answers, gives up before it begins, prefill refused, ended",
      "send prefill, send decode, answer from decode, cancel decode, send prefill, answer from prefill, GP_OK",
    ],
    [
      "begin, prefill done, decode answers, gives up for good",
      "send prefill, send decode, answer from decode, cancel decode, GP_TRUNCATED",
    ],
    [
      "begin, prefill done, decode answers, gives up unheard for good",
      "send prefill, send decode, answer from decode, cancel decode, GP_DECODE_GAVE_UP",
    ],
    [
      "begin, prefill done, gives up, decode answers, ended",
      "send prefill, send decode, answer from decode, GP_OK",
    ],
    ["begin, prefill done, decode invalid", "send prefill, send decode, GP_DECODE_INVALID"],
    [
      "begin, prefill done, decode answers, decode failed +",
      "send prefill, send decode, answer from decode, GP_TRUNCATED",
    ],
    ["begin, prefill refused, prefill failed +", "send prefill, answer from prefill, GP_TRUNCATED"],
    // It is no fault of the engine whose response breaks off.
    [
      "begin, prefill done, decode answers, gives up, prefill done, memory full",
      "send prefill, send decode, answer from decode, cancel decode, send prefill, send decode, cancel decode, GP_MEMORY_FULL",
    ],
    ["begin, client gone, prefill done, ended", "send prefill, cancel prefill, GP_CLIENT_GONE"],
    ["begin", "GP_NO_PREFILL_ENGINE", { places: ["no-healthy-engine"] }],
    ["begin", "GP_PREFILL_FULL", { places: ["at-capacity"] }],
    [
      "begin, prefill done",
      "send prefill, GP_NO_DECODE_ENGINE",
      { places: [undefined, "no-healthy-engine"] },
    ],
    ["begin, prefill done", "send prefill, GP_DECODE_FULL", { places: [undefined, "at-capacity"] }],
    [
      "begin, prefill failed +",
      "send prefill, GP_PREFILL_FAILED",
      { places: [undefined, "no-healthy-engine"] },
    ],
    [
      "begin, prefill failed +, prefill failed +",
      "send prefill, send prefill, GP_PREFILL_FAILED",
      { prefillTries: 2 },
    ],
    [
      "begin, prefill refused +, ended",
      "send prefill, answer from prefill, GP_OK",
      { prefillTries: 1 },
    ],
    [
      "begin, prefill done, decode failed +, prefill done, decode failed +",
      "send prefill, send decode, send prefill, send decode, GP_DECODE_FAILED",
      { decodeTries: 2 },
    ],
  ],
  together: [
    [
      "begin, prefill done, decode answers, ended",
      "send decode, send prefill, answer from decode, GP_OK",
    ],
    [
      "begin, decode answers, prefill done, ended",
      "send decode, send prefill, answer from decode, GP_OK",
    ],
    [
      "begin, decode answers, prefill failed, ended",
      "send decode, send prefill, answer from decode, GP_OK",
    ],
    [
      "begin, decode answers, prefill failed +, decode failed +",
      "send decode, send prefill, answer from decode, GP_TRUNCATED",
    ],
    [
      "begin, decode answers, nothing sent, prefill failed +",
      "send decode, send prefill, answer from decode, cancel decode, send decode, send prefill",
    ],
    [
      "begin, decode waits, decode waits, prefill done, ended",
      "send decode, send prefill, answer from decode, GP_OK",
    ],
    [
      "begin, decode waits, prefill failed",
      "send decode, send prefill, cancel decode, GP_PREFILL_FAILED",
    ],
    [
      "begin, decode waits, prefill failed +",
      "send decode, send prefill, cancel decode, send decode, send prefill",
    ],
    [
      "begin, prefill refused, ended",
      "send decode, send prefill, cancel decode, answer from prefill, GP_OK",
    ],
    [
      "begin, decode refuses, ended",
      "send decode, send prefill, cancel prefill, answer from decode, GP_OK",
    ],
    [
      "begin, decode unreached +",
      "send decode, send prefill, cancel prefill, send decode, send prefill",
    ],
    // Both places are taken before either engine hears of the request.
    ["begin", "GP_NO_PREFILL_ENGINE", { places: [undefined, "no-healthy-engine"] }],
    ["begin", "GP_NO_DECODE_ENGINE", { places: ["no-healthy-engine"] }],
    [
      "begin, prefill failed",
      "send decode, send prefill, cancel decode, send decode",
      { fallsBack: true },
    ],
  ],
  "decode-first": [
    [
      "begin, calls back, prefill done, decode answers, ended",
      "send decode, send prefill, callback true, answer from decode, GP_OK",
    ],
    [
      "begin, calls back, calls back, prefill done, calls back, decode answers, ended",
      "send decode, send prefill, callback true, answer from decode, GP_OK",
    ],
    [
      "begin, calls back, decode answers, prefill done, ended",
      "send decode, send prefill, answer from decode, callback true, GP_OK",
    ],
    [
      "begin, calls back, decode answers, ended",
      "send decode, send prefill, answer from decode, callback true, cancel prefill, GP_OK",
    ],
    ["begin, decode answers, ended", "send decode, answer from decode, GP_OK"],
    [
      "begin, calls back, prefill failed",
      "send decode, send prefill, cancel decode, callback false, GP_PREFILL_FAILED",
    ],
    [
      "begin, calls back, prefill failed +, calls back",
      "send decode, send prefill, cancel decode, callback false, send decode, send prefill",
    ],
    [
      "begin, calls back, prefill refused, ended",
      "send decode, send prefill, callback false, cancel decode, answer from prefill, GP_OK",
    ],
    // A decode engine that answers before it asks has no need of the prefill: its stream goes on.
    [
      "begin, decode answers, calls back, prefill refused, ended",
      "send decode, answer from decode, send prefill, cancel prefill, callback false, GP_OK",
    ],
    [
      "begin, decode answers, calls back, ended",
      "send decode, answer from decode, callback false, GP_OK",
      { places: [undefined, "no-healthy-engine"] },
    ],
    [
      "begin, calls back, client gone",
      "send decode, send prefill, cancel prefill, cancel decode, callback false, GP_CLIENT_GONE",
    ],
    [
      "begin, calls back, decode failed +",
      "send decode, send prefill, cancel prefill, callback false, send decode",
    ],
    [
      "begin, calls back",
      "send decode, cancel decode, callback false, GP_NO_PREFILL_ENGINE",
      {
        places: [undefined, "no-healthy-engine"],
      },
    ],
  ],
  "decode-only": [
    ["begin, decode answers, ended", "send decode, answer from decode, GP_OK"],
    ["begin, calls back, decode refuses, ended", "send decode, answer from decode, GP_OK"],
    ["begin, decode failed +, decode answers", "send decode, send decode, answer from decode"],
    ["begin, decode failed +", "send decode, GP_DECODE_FAILED", { decodeTries: 1 }],
    ["begin", "GP_NO_DECODE_ENGINE", { places: ["no-healthy-engine"] }],
  ],
};

describe.each(Object.keys(tables) as Order[])("%s", (order) => {
  const rows = tables[order].map(([happened, commands, setting]) => ({
    happened,
    commands,
    setting,
  }));
  it.each(rows)("$happened", ({ happened, commands, setting }) => {
    expect(run(order, happened.split(", "), setting)).toEqual(commands.split(", "));
  });
});

it("says whose response the client is getting", () => {
  const actions = {
    openAttempt() {},
    send() {},
    cancel() {},
    deliverFrom() {},
    respondToCallback() {},
    finish() {},
  };
  const options = {
    order: "decode-only",
    choosesDecodeFirst: false,
    tries: { prefill: 1, decode: 1 },
    fallsBack: false,
  } as const;
  const exchange = new Exchange(options, actions as never);
  exchange.startAttempt();
  expect(exchange.deliveringLeg).toBeUndefined();
  exchange.decodeResponded(true, false);
  expect(exchange.deliveringLeg).toBe("decode");
});

it.each([
  ["none is up", "no-healthy-engine", undefined, "No engine is available."],
  ["all are busy", "at-capacity", undefined, "All engines are at capacity."],
  ["one hangs", undefined, "timeout", "The engine did not respond in time."],
] as const)(
  "speaks of engines, not of decode engines, without a prefill: %s",
  (_, place, failure, message) => {
    const ends: Outcome[] = [];
    const actions = {
      openAttempt() {},
      waitAgain: () => false,
      send: () => place,
      cancel() {},
      finish: (outcome: Outcome) => ends.push(outcome),
    };
    const options = {
      order: "decode-only",
      choosesDecodeFirst: false,
      tries: { prefill: 1, decode: 1 },
      fallsBack: false,
      servesWhole: true,
    } as const;
    const exchange = new Exchange(options, actions as never);
    exchange.startAttempt();
    if (failure !== undefined) exchange.decodeFailed(failure, false, false);
    expect(ends.map((outcome) => outcome.message)).toEqual([message]);
  },
);
