/** Request traces in Mooncake's form: one JSON object a line. */

export interface TraceRequest {
  /** Since the first request. */
  readonly arrivalMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /**
   * One for each 512-token block of the prompt, numbered from 0; equal = an equal prefix up to and including that
   * block.
   */
  readonly blocks: readonly number[];
}

export const traceBlockTokens = 512;

/** Throws an Error that names line and field. */
export function parseTrace(text: string): TraceRequest[] {
  const numbers = new Map<number | string, number>();
  const requests: TraceRequest[] = [];
  text
    .replace(/^\ufeff/, "")
    .split("\n")
    .forEach((line, i) => {
      if (line.trim() !== "") requests.push(parseLine(line, i + 1, numbers));
    });
  if (requests.length === 0) throw new Error("the trace holds no requests");
  requests.sort((a, b) => a.arrivalMs - b.arrivalMs);
  // Recorded traffic has times since 1970.
  const firstMs = requests[0]!.arrivalMs;
  return requests.map((request) => ({ ...request, arrivalMs: request.arrivalMs - firstMs }));
}

/** How many different blocks there are. */
export function distinctBlocks(trace: readonly TraceRequest[]): number {
  let most = -1;
  for (const { blocks } of trace) for (const block of blocks) most = Math.max(most, block);
  return most + 1;
}

/** Spreads arrivals over the tick of a trace's clock, evenly at random, so that a burst is no artefact of it. */
export function spreadArrivals(
  trace: readonly TraceRequest[],
  tickMs: number,
  random: () => number,
): TraceRequest[] {
  if (tickMs === 0) return [...trace];
  return trace
    .map((request) => ({ ...request, arrivalMs: request.arrivalMs + random() * tickMs }))
    .sort((a, b) => a.arrivalMs - b.arrivalMs);
}

function objectOf(line: string, number: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Said below.
  }
  throw new Error(`line ${number}: not a JSON object`);
}

function parseLine(
  line: string,
  number: number,
  numbers: Map<number | string, number>,
): TraceRequest {
  const value = objectOf(line, number);
  const field = (name: string, least: number): number => {
    const found = value[name];
    if (typeof found === "number" && Number.isFinite(found) && found >= least) return found;
    throw new Error(`line ${number}: "${name}" must be a number of at least ${least}`);
  };
  const inputTokens = field("input_length", 1);
  const ids = value["hash_ids"] ?? [];
  if (!Array.isArray(ids)) throw new Error(`line ${number}: "hash_ids" must be a list`);
  const blocks = ids.map((id: unknown) => {
    if (typeof id !== "number" && typeof id !== "string") {
      throw new Error(
        `line ${number}: "hash_ids" holds numbers or texts, not ${JSON.stringify(id)}`,
      );
    }
    const known = numbers.get(id) ?? numbers.size;
    numbers.set(id, known);
    return known;
  });
  return {
    arrivalMs: field("timestamp", 0),
    inputTokens,
    outputTokens: Math.max(1, field("output_length", 0)),
    blocks,
  };
}
