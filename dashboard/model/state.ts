/** All that the page shows, and how each message changes it. */
import type {
  Load,
  LoadField,
  Messages,
  Point,
} from "../../src/control/admin/dashboard/messages.ts";
import { loadFields } from "../../src/control/admin/dashboard/messages.ts";

export type Connection = "connecting" | "live" | "lost" | "token";

export interface PageState extends Partial<Omit<Messages, "history" | "point">> {
  readonly connection: Connection;
  /** The oldest first. */
  readonly points: readonly Point[];
  /** By pool and engine: requests in flight in the last minute, the oldest first. */
  readonly trails: ReadonlyMap<string, readonly number[]>;
  /** Of the proxy's clock, less that of this machine. */
  readonly shiftMs: number;
}

export const emptyState: PageState = {
  connection: "connecting",
  points: [],
  trails: new Map(),
  shiftMs: 0,
};

/** Points and looks that the page keeps. */
const pointsMax = 900;
const trailMax = 60;

export function withMessage<Name extends keyof Messages>(
  state: PageState,
  name: Name,
  message: Messages[Name],
  nowMs: number,
): PageState {
  switch (name) {
    case "history":
      return { ...state, points: (message as Messages["history"]).points };
    case "point": {
      const point = message as Point;
      const last = state.points.at(-1);
      if (last !== undefined && point[0]! <= last[0]!) return state;
      return { ...state, points: [...state.points, point].slice(-pointsMax) };
    }
    case "load":
      return withLoad(state, message as Load, nowMs);
    default:
      return { ...state, [name]: message };
  }
}

function withLoad(state: PageState, load: Load, nowMs: number): PageState {
  const trails = new Map<string, readonly number[]>();
  state.fleet?.pools.forEach(({ pool, engines }, poolIndex) => {
    engines.forEach(({ engine }, index) => {
      const key = trailKey(pool, engine);
      const now = loadOf(load, poolIndex, index, "inFlight");
      trails.set(key, [...(state.trails.get(key) ?? []), now].slice(-trailMax));
    });
  });
  return { ...state, load, trails, shiftMs: load.atMs - nowMs };
}

export function trailKey(pool: string, engine: string): string {
  return `${pool} ${engine}`;
}

const fieldIndex = Object.fromEntries(loadFields.map((name, index) => [name, index])) as Record<
  LoadField,
  number
>;

/** -1 = not known. */
export function loadOf(
  load: Load | undefined,
  pool: number,
  engine: number,
  field: LoadField,
): number {
  return load?.engines[pool]?.[engine]?.[fieldIndex[field]] ?? -1;
}
