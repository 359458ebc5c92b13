/**
 * The same requests to one engine directly and through the proxy: statuses, headers, JSON and each event of a stream
 * are the same, but for what differs between any two responses of one engine.
 */
import { isDeepStrictEqual } from "node:util";
import { meantDifferences } from "./meant.mjs";
import { requests } from "./requests.mjs";

/** Differ in any two responses of one engine. */
const volatileMembers = new Set([
  "id",
  "created",
  "created_at",
  "completed_at",
  "request_id",
  "item_id",
  "system_fingerprint",
  "call_id",
  "response_id",
]);
const volatileHeaders = new Set([
  "date",
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "x-request-id",
]);

export async function send(url, { path, method = "POST", body, raw, type = "application/json" }) {
  const init = { method, redirect: "manual", headers: {} };
  if (method === "POST") {
    init.headers["content-type"] = type;
    init.body = raw ?? JSON.stringify(body);
  }
  const response = await fetch(url + path, { ...init, signal: AbortSignal.timeout(300_000) });
  const text = await response.text();
  return { status: response.status, headers: Object.fromEntries(response.headers), text };
}

function normal(value) {
  if (Array.isArray(value)) return value.map(normal);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      volatileMembers.has(key) ? typeof inner : normal(inner),
    ]),
  );
}

function parsed(text) {
  try {
    return normal(JSON.parse(text));
  } catch {
    return text;
  }
}

/** The events of a stream: its name, if any, and its data. */
function eventsOf(text) {
  return text
    .split(/\r?\n\r?\n/)
    .filter((block) => block !== "")
    .map((block) => {
      const of = (field) =>
        block
          .split(/\r?\n/)
          .filter((line) => line.startsWith(`${field}:`))
          .map((line) => line.slice(field.length + 1).trim())
          .join("\n");
      return { event: of("event"), data: parsed(of("data")) };
    });
}

/**
 * Engines say several tokens in one event when they are busy, and choices in any order: the events of a choice, or of a
 * block, are put together, and nothing else.
 */
function merged(events) {
  const out = [];
  for (const { event, data } of events) {
    const key = keyOf(event, data);
    const before = key === undefined ? undefined : out.findLast((one) => one.key === key);
    if (key === undefined) out.push({ key, event, data });
    // One event, too, may say two parts of one tool call.
    else if (before === undefined) out.push({ key, event, data: joined({}, data) });
    else before.data = joined(before.data, data);
  }
  // Which choice comes first is chance, too.
  const isChoice = ({ key }) => key?.startsWith("choice ") ?? false;
  const choices = out.filter(isChoice).sort((one, other) => one.key.localeCompare(other.key));
  return out
    .map((one) => (isChoice(one) ? choices.shift() : one))
    .map(({ event, data }) => ({ event, data }));
}

/** The same for events that are put together; undefined = stands alone. */
function keyOf(event, data) {
  if (typeof data !== "object" || data === null) return undefined;
  if (data.choices?.length === 1) return `choice ${data.choices[0].index}`;
  if (data.delta !== undefined && data.delta.stop_reason === undefined)
    return `${event} ${data.output_index ?? ""} ${data.index ?? ""} ${data.delta.type ?? ""}`;
  return undefined;
}

/** Texts and lists that go on are joined; of all else the last one counts. */
const continued = new Set(["text", "content", "delta", "arguments", "partial_json", "reasoning"]);

function joined(one, next) {
  const both = { ...one };
  for (const [key, value] of Object.entries(next)) {
    const before = both[key];
    if (value === null || value === undefined) {
      if (!(key in both)) both[key] = value;
      continue;
    }
    if (typeof value === "string" && continued.has(key)) both[key] = (before ?? "") + value;
    else if (Array.isArray(value)) both[key] = joinedLists(before ?? [], value);
    else if (typeof value === "object") both[key] = joined(before ?? {}, value);
    else both[key] = value;
  }
  return both;
}

function joinedLists(one, next) {
  const both = [...one];
  for (const value of next) {
    const at =
      value?.index === undefined ? -1 : both.findIndex(({ index }) => index === value.index);
    if (at < 0) both.push(typeof value === "object" && value !== null ? joined({}, value) : value);
    else both[at] = joined(both[at], value);
  }
  return both;
}

function withoutNumbers(events) {
  return events.map(({ event, data }) => {
    if (typeof data !== "object" || data === null || !("sequence_number" in data))
      return { event, data };
    const { sequence_number: _, ...rest } = data;
    return { event, data: rest };
  });
}

/** Where two values differ, as path: one, other. */
function* differencesOf(one, other, path = "") {
  if (isDeepStrictEqual(one, other)) return;
  const isTree = (value) => typeof value === "object" && value !== null;
  if (!isTree(one) || !isTree(other)) {
    const short = (value) =>
      value === undefined ? "nothing" : JSON.stringify(value).slice(0, 160);
    yield `${path}: ${short(one)} directly, ${short(other)} through the proxy`;
    return;
  }
  for (const key of new Set([...Object.keys(one), ...Object.keys(other)]))
    yield* differencesOf(one[key], other[key], `${path}.${key}`);
}

/** What is different, a line each; none = the same. */
export function compare(direct, through, origins) {
  const found = [];
  if (direct.status !== through.status)
    found.push(`status: ${direct.status} directly, ${through.status} through the proxy`);
  const names = new Set([...Object.keys(direct.headers), ...Object.keys(through.headers)]);
  for (const name of names) {
    if (volatileHeaders.has(name)) continue;
    const at = (value, origin) => value?.replace(origin, "");
    const [one, other] = [
      at(direct.headers[name], origins.direct),
      at(through.headers[name], origins.through),
    ];
    if (one !== other) found.push(`header ${name}: ${one} directly, ${other} through the proxy`);
  }
  if (
    direct.headers["content-type"]?.startsWith("text/event-stream") &&
    through.status === direct.status
  ) {
    const streams = [direct, through].map(({ text }) => eventsOf(text));
    if (!isDeepStrictEqual(...streams.map(withoutNumbers))) {
      const [one, other] = streams.map((events) => withoutNumbers(merged(events)));
      found.push(...differencesOf(one, other, "events"));
    }
  } else {
    found.push(...differencesOf(parsed(direct.text), parsed(through.text), "body"));
  }
  return found;
}

/** Only engines in development mode can do it. */
async function forgetPrompts(engines) {
  for (const url of engines)
    await fetch(`${url}/reset_prefix_cache`, { method: "POST" }).then((response) =>
      response.arrayBuffer(),
    );
}

/** Whether nothing differs that is not meant to. @param only titles of requests to keep */
export async function differential({ judge, engines, form, startProxy, say, only }) {
  const proxy = await startProxy();
  const all = [judge, ...engines].map(({ url }) => url);
  const reasons = new Map();
  let total = 0;
  let different = 0;
  for (const request of requests) {
    const title = `${request.path} · ${request.name}`;
    if (only !== undefined && !only.test(title)) continue;
    total += 1;
    // What one knows of the prompt, the other is not to know better.
    await forgetPrompts(all);
    const direct = await send(judge.url, request);
    await forgetPrompts(all);
    const through = await send(proxy.url, request);
    const found = compare(direct, through, { direct: judge.url, through: proxy.url });
    const left = found.filter((line) => {
      const reason = reasonOf(line, title, form);
      if (reason !== undefined) reasons.set(reason, (reasons.get(reason) ?? new Set()).add(title));
      return reason === undefined;
    });
    if (left.length === 0) continue;
    different += 1;
    say(`  ${title}\n    ${left.slice(0, 6).join("\n    ")}`);
  }
  for (const [reason, titles] of reasons) say(`  meant, ${titles.size} requests: ${reason}`);
  say(`  ${total} requests, ${total - different} the same`);
  return different === 0 && total > 0;
}

function reasonOf(line, title, form) {
  return meantDifferences.find(
    ({ form: of, request, what }) =>
      (of?.test(form) ?? true) && (request?.test(title) ?? true) && what.test(line),
  )?.reason;
}
