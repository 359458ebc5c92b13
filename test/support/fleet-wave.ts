/** Many requests at once, some of which their clients give up, and books on how each one ended. */
import type { Fleet, FleetRequest } from "./fleet.ts";
import { type Answered, post } from "./http-client.ts";

/** How many requests ended in each way. All but `wrong` and `hung` are ways in which a client knows what it has. */
export interface WaveTally {
  /** Complete, and what the engine that does it all says. */
  right: number;
  /** Begun and broken off visibly: the connection ended early, or an error event came. Right so far. */
  cut: number;
  /** A status of 500 or more, before anything of an answer. */
  refused: number;
  /** Given up by the client; right so far. */
  aborted: number;
  /** Not ended within the bound. */
  hung: number;
  /** A false 200, and whatever else must not be; the first ones in words. */
  wrong: string[];
}

/** When a client gives its request up; undefined = never. */
export type GiveUp = { readonly afterMs: number } | { readonly afterParts: number } | undefined;

export interface WaveOptions {
  readonly url: string;
  readonly fleet: Fleet;
  readonly expected: ReadonlyMap<FleetRequest, string>;
  /** Requests, all of them at once. */
  readonly count: number;
  readonly giveUp?: (index: number) => GiveUp;
  /** Called with each answer's end. */
  readonly onEnd?: (ended: number) => void;
}

const wrongMax = 5;
const usualBoundMs = 10_000;

export async function runWave(options: WaveOptions): Promise<WaveTally> {
  const tally: WaveTally = { right: 0, cut: 0, refused: 0, aborted: 0, hung: 0, wrong: [] };
  const cases = [...options.expected];
  let ended = 0;
  const one = async (index: number): Promise<void> => {
    const [request, expected] = cases[index % cases.length]!;
    await runOne(options, tally, { request, expected, index });
    ended += 1;
    options.onEnd?.(ended);
  };
  await Promise.all(Array.from({ length: options.count }, (_, index) => one(index)));
  return tally;
}

interface Case {
  readonly request: FleetRequest;
  readonly expected: string;
  readonly index: number;
}

async function runOne(options: WaveOptions, tally: WaveTally, one: Case): Promise<void> {
  const { url, fleet } = options;
  const { request, expected, index } = one;
  const giveUp = options.giveUp?.(index);
  const gone = new AbortController();
  let hung = false;
  let parts = 0;
  const bound = setTimeout(() => {
    hung = true;
    gone.abort();
  }, fleet.boundMs ?? usualBoundMs);
  const early =
    giveUp !== undefined && "afterMs" in giveUp
      ? setTimeout(() => gone.abort(), giveUp.afterMs)
      : undefined;
  const answer = await post(url + request.path, request.body, {
    signal: gone.signal,
    headers: { "x-request-id": `wave-${index}` },
    onData: () => {
      parts += 1;
      if (giveUp !== undefined && "afterParts" in giveUp && parts >= giveUp.afterParts)
        gone.abort();
    },
  });
  clearTimeout(bound);
  clearTimeout(early);
  const kind = hung ? "hung" : kindOf(answer, expected, fleet, gone.signal.aborted);
  if (kind !== "wrong") tally[kind] += 1;
  else if (tally.wrong.length < wrongMax) tally.wrong.push(inWords(answer, expected, fleet));
}

function kindOf(
  { status, end, body }: Answered,
  expected: string,
  fleet: Fleet,
  isAborted: boolean,
): keyof WaveTally {
  const comparable = fleet.comparable ?? withoutIds;
  if (status === 200 && end === "whole" && comparable(body) === comparable(expected))
    return "right";
  const { text, hasError } = untilError(body);
  const isPart = comparable(expected).startsWith(comparable(text));
  if (isAborted) return isPart ? "aborted" : "wrong";
  if (status === 200 && isPart && (end === "cut" || (end === "whole" && hasError))) return "cut";
  if (status >= 500 && end === "whole" && isErrorBody(body)) return "refused";
  return "wrong";
}

/** The events of a stream that came whole, up to an error. An engine says `[DONE]` after an error, too. */
function untilError(body: string): { text: string; hasError: boolean } {
  if (!body.startsWith("data: ")) return { text: "", hasError: false };
  const whole = body.slice(0, body.lastIndexOf("\n\n") + 2);
  const at = whole.search(/data: \{"(error|object":"error)"/);
  return at < 0 ? { text: whole, hasError: false } : { text: whole.slice(0, at), hasError: true };
}

function isErrorBody(body: string): boolean {
  try {
    const { error, message } = JSON.parse(body) as { error?: unknown; message?: unknown };
    return (error ?? message) !== undefined;
  } catch {
    return false;
  }
}

/** A proxy may have to give a request an id of its own. */
export function withoutIds(body: string): string {
  return body.replaceAll(/"id":"[^"]*"/g, '"id":""');
}

/** Where two texts part. */
function inWords({ status, end, error, body }: Answered, expected: string, fleet: Fleet): string {
  const comparable = fleet.comparable ?? withoutIds;
  const [is, should] = [comparable(body), comparable(expected)];
  let at = 0;
  while (at < is.length && is[at] === should[at]) at += 1;
  const from = Math.max(0, at - 60);
  const until = at + 120;
  return `${status} ${end} ${error}: «${is.slice(from, until)}» in place of «${should.slice(from, until)}»`;
}
