/** The last requests, the slowest and those that failed, each as a bar of where its time went. */
import { useState } from "preact/hooks";
import type { RequestRecord } from "../../src/proxy/context/explained/request-record.ts";
import type { PageState } from "../model/state.ts";
import { clockText, durationText, numberText } from "../model/words.ts";
import { Explanation } from "./explanation.tsx";
import { Waterfall } from "./waterfall.tsx";

const lists = [
  { list: "recent", title: "Last" },
  { list: "slowToStart", title: "Slowest first token" },
  { list: "slowToEnd", title: "Longest" },
  { list: "failed", title: "Failed" },
  { list: "clientFaults", title: "Client faults" },
] as const;
type ListName = (typeof lists)[number]["list"];

const rowsMax = 25;
const nothing: Readonly<Record<ListName, string>> = {
  recent: "No request has ended yet.",
  slowToStart: "No stream has ended in the last minutes.",
  slowToEnd: "No request has ended in the last minutes.",
  failed: "No request has failed, but for those that are their client's fault.",
  clientFaults: "No request was refused or given up by its client.",
};

export function Requests({ state }: { readonly state: PageState; readonly nowMs: number }) {
  const [list, setList] = useState<ListName>("recent");
  /** What is read stays, whatever comes. */
  const [open, setOpen] = useState<RequestRecord | undefined>(undefined);
  const all = state.requests?.[list] ?? [];
  const rows = all.slice(0, rowsMax);
  const isListed = open === undefined || rows.some((one) => isSame(one, open));
  const shown = isListed ? rows : [open, ...rows];
  const scaleMs = Math.max(1, ...shown.map(({ endMs }) => endMs));
  const toggle = (request: RequestRecord) =>
    setOpen(open !== undefined && isSame(open, request) ? undefined : request);
  return (
    <section class="card requests" id="requests" aria-labelledby="requests-title" tabIndex={-1}>
      <div class="section-head">
        <h2 id="requests-title">Requests</h2>
        <fieldset class="segments">
          <legend class="hidden">Which requests are listed</legend>
          {lists.map(({ list: one, title }) => (
            <button
              key={one}
              type="button"
              aria-pressed={one === list}
              onClick={() => setList(one)}
            >
              {title}
              {one === "failed" && <Count count={state.requests?.failed.length ?? 0} />}
            </button>
          ))}
        </fieldset>
      </div>
      <Legend />
      {state.fleet?.keepsRequests === false ? (
        <p class="empty">Requests are not kept: admin.explainedRequestsMax is 0.</p>
      ) : shown.length === 0 ? (
        <p class="empty">{nothing[list]}</p>
      ) : (
        <ul class="rows">
          {shown.map((request) => (
            <Row
              key={`${request.requestId} ${request.at}`}
              request={request}
              scaleMs={scaleMs}
              isOpen={open !== undefined && isSame(open, request)}
              toggle={() => toggle(request)}
            />
          ))}
        </ul>
      )}
    </section>
  );
}

const isSame = (a: RequestRecord, b: RequestRecord) => a.requestId === b.requestId && a.at === b.at;

function Count({ count }: { readonly count: number }) {
  return count === 0 ? null : <span class="badge">{count}</span>;
}

interface RowProps {
  readonly request: RequestRecord;
  readonly scaleMs: number;
  readonly isOpen: boolean;
  readonly toggle: () => void;
}

function Row({ request, scaleMs, isOpen, toggle }: RowProps) {
  const { requestId, at, path, model, endMs, firstByteMs, isStream, hasFailed, status, tokens } =
    request;
  const first = isStream && firstByteMs >= 0 ? durationText(firstByteMs) : "–";
  const outcome = hasFailed || status >= 400 ? `${request.outcome} ${status || ""}` : "";
  const count = (value: number) => (value < 0 ? "?" : numberText(value));
  return (
    <li class={`row ${hasFailed ? "failed" : ""}`}>
      <button type="button" aria-expanded={isOpen} onClick={toggle}>
        <span class="hidden">
          {`Request ${requestId}: ${outcome || "well"}, first token ${first}, ${durationText(endMs)} in all. Why?`}
        </span>
        <span class="when" aria-hidden="true">
          {clockText(Date.parse(at))}
        </span>
        <span class="what" aria-hidden="true">
          {model || path} <span class="quiet id">{requestId}</span>
        </span>
        <span class="tokens" aria-hidden="true">
          {count(tokens.prompt)} → {count(tokens.output)} tok
        </span>
        <Waterfall request={request} scaleMs={scaleMs} />
        <span class="ms" aria-hidden="true">
          {first}
        </span>
        <span class="ms all" aria-hidden="true">
          {durationText(endMs)}
        </span>
        {outcome !== "" && (
          <span class="outcome" aria-hidden="true">
            {outcome}
          </span>
        )}
      </button>
      {isOpen && <Explanation request={request} />}
    </li>
  );
}

function Legend() {
  return (
    <p class="legend" aria-hidden="true">
      {(["queue", "prefill", "transfer", "decode", "failed"] as const).map((kind) => (
        <span key={kind}>
          <i class={`swatch ${kind}`} /> {kind}
        </span>
      ))}
      <span class="space" />
      <span class="quiet">first token · in all</span>
    </p>
  );
}
