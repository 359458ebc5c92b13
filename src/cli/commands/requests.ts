/** `global-proxy requests` and `explain`: what has become of requests, and why their engines were chosen. */
import { type Command, Option } from "commander";
import type { Decision, EngineSnapshot } from "../../pool/engine-snapshot.ts";
import type { LegTimes, RequestRecord } from "../../proxy/context/explained/request-record.ts";
import {
  type AdminCommandSwitches,
  adminCommand,
  exitCodes,
  show,
  withAdmin,
} from "../admin/admin-command.ts";
import { columns, duration, terminalWidth } from "../admin/columns.ts";

const lists = {
  recent: "recent",
  running: "running",
  failed: "failed",
  "client-faults": "clientFaults",
  "slow-to-start": "slowToStart",
  "slow-to-end": "slowToEnd",
} as const;

interface ListSwitches extends AdminCommandSwitches {
  readonly list: keyof typeof lists;
}

type Lists = Readonly<
  Record<(typeof lists)[keyof typeof lists], readonly RequestRecord[] | undefined>
>;
type Explained = RequestRecord & {
  readonly decisions: readonly (Decision & { untold?: number })[];
};

export function requestsCommand(onCode: (code: number) => void): Command {
  return adminCommand("requests", "list the last requests of a running proxy")
    .addOption(
      new Option("--list <which>", "which of them").choices(Object.keys(lists)).default("recent"),
    )
    .action((switches: ListSwitches) =>
      withAdmin(switches, onCode, async (client) => {
        const all = await client.get<Lists>("GET", "/admin/requests");
        const requests = all[lists[switches.list]] ?? [];
        const apart = switches.list === "failed" ? (all.clientFaults?.length ?? 0) : 0;
        show(switches, { requests }, (said) => listText(said.requests) + apartText(apart));
        return exitCodes.done;
      }),
    );
}

export function explainCommand(onCode: (code: number) => void): Command {
  return adminCommand("explain", "say why the engines of a request were chosen, and how it ended")
    .argument("<id>", "of the request: its X-Request-Id")
    .action((id: string, switches: AdminCommandSwitches) =>
      withAdmin(switches, onCode, async (client) => {
        const path = `/admin/explain/${encodeURIComponent(id)}`;
        const one = await client.get<Explained>("GET", path);
        show(switches, one, explainText);
        return exitCodes.done;
      }),
    );
}

/** @param count of those that are their clients' fault */
function apartText(count: number): string {
  if (count === 0) return "";
  const how =
    count === 1
      ? "1 request that was its client's fault"
      : `${count} that were their clients' fault`;
  return `(not listed here: ${how}; see --list client-faults)\n`;
}

function listText(requests: readonly RequestRecord[]): string {
  const rows = requests.map((one) => [
    one.at.slice(11, 23),
    one.requestId,
    one.path,
    one.status === 0 ? "" : `${one.status}`,
    outcomeText(one),
    duration(one.heldMs),
    duration(one.firstByteMs),
    duration(one.endMs),
  ]);
  if (rows.length === 0) return "no requests\n";
  const heading = ["came", "id", "path", "status", "outcome", "waited", "first byte", "end"];
  return columns([heading, ...rows], {
    width: terminalWidth(),
    cut: ["path"],
    leftOut: ["waited", "first byte", "path", "end", "came"],
  });
}

function outcomeText({ outcome, waitsFor }: RequestRecord): string {
  if (outcome !== "") return outcome;
  return waitsFor === "" ? "running" : `waits for ${waitsFor}`;
}

function explainText(one: Explained): string {
  const { requestId, at, path, status, message, heldMs, firstByteMs, endMs } = one;
  const times = [
    ["waited", heldMs],
    ["first byte", firstByteMs],
    ["end", endMs],
  ] as const;
  const happened = times.filter(([, ms]) => ms >= 0).map(([name, ms]) => `${name} ${duration(ms)}`);
  const head = [
    `${requestId}: ${[outcomeText(one), status || undefined].filter(Boolean).join(" ")}`,
    `${path} at ${at}`,
    ...(message ? [message] : []),
    ...(happened.length > 0 ? [happened.join(", ")] : []),
  ];
  const legs = one.legs.length > 0 ? `\n${legsText(one.legs)}` : "";
  return `${head.join("\n")}\n${legs}${one.decisions.map(decisionText).join("")}`;
}

function legsText(legs: readonly LegTimes[]): string {
  const rows = legs.map(({ leg, engine, address, sentMs, headMs, endMs, status }) => [
    leg,
    engine || address,
    duration(sentMs),
    duration(headMs),
    duration(endMs),
    status === 0 ? "" : `${status}`,
  ]);
  return columns([["leg", "engine", "sent", "head", "end", "status"], ...rows], {
    width: terminalWidth(),
    leftOut: ["head", "sent"],
  });
}

function decisionText({
  leg,
  pool,
  policy,
  chosen,
  engines,
  untold = 0,
}: Explained["decisions"][number]): string {
  const rows = engines.map((one) => {
    const { score } = one;
    const { state = "", why, inFlight } = one as Partial<EngineSnapshot>;
    return [
      one.engine === chosen ? "*" : "",
      one.engine,
      why === undefined ? state : `${state} (${why})`,
      inFlight === undefined ? "" : `${inFlight}`,
      score === undefined ? "" : `${Math.round(score * 1_000) / 1_000}`,
    ];
  });
  const more = untold > 0 ? `and ${untold} more engines\n` : "";
  const heading = ["", "engine", "state", "in flight", "score"];
  const table = columns([heading, ...rows], { width: terminalWidth(), leftOut: ["in flight"] });
  return `\n${leg}: ${chosen || "no engine"} of pool ${pool}, by ${policy}\n${table}${more}`;
}
