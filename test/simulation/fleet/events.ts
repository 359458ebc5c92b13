/** What befalls a fleet from outside of its requests: engines that die, operators, workers that die or hang. */
import type { Config } from "../../../src/config/schema/schema.ts";
import type { World } from "../world.ts";
import type { Chance } from "./chance.ts";
import type { FleetSettings } from "./settings.ts";

export interface Happened {
  engineDeaths: number;
  reloads: number;
  workerDeaths: number;
  workerHangs: number;
  drains: number;
}

/** How long until a worker that hangs is replaced. */
const heartbeatMs = 400;

/** @returns what happens, counted when it does */
export function befall({ world, mood }: FleetSettings, chance: Chance): Happened {
  const happened: Happened = {
    engineDeaths: 0,
    reloads: 0,
    workerDeaths: 0,
    workerHangs: 0,
    drains: 0,
  };
  if (mood === "mortal") kill(world, chance, happened);
  if (mood !== "wild") return happened;
  const { network } = world;
  const soon = (run: () => void): void => network.after(chance.below(1_500), run);
  outages(world, chance);
  for (let i = chance.of([0, 0, 1, 3]); i > 0; i -= 1) {
    soon(() => {
      happened.engineDeaths += 1;
      die(world, chance);
    });
  }
  for (let i = chance.of([0, 0, 0, 1, 3]); i > 0; i -= 1) {
    soon(() => {
      happened.reloads += 1;
      world.apply(chance.happens(0.5) ? world.config : without(world, chance));
    });
  }
  for (let i = chance.of([0, 0, 0, 1, 2]); i > 0; i -= 1) {
    soon(() => {
      const index = chance.below(world.workers.all.length);
      if (chance.happens(0.5)) {
        happened.workerDeaths += 1;
        world.workers.kill(index);
        return;
      }
      happened.workerHangs += 1;
      world.workers.hang(index);
      network.after(heartbeatMs, () => world.workers.kill(index));
    });
  }
  if (chance.happens(0.1)) {
    soon(() => {
      happened.drains += 1;
      for (const worker of world.workers.all) void worker.drain(0);
    });
  }
  return happened;
}

/** Some engines cannot be reached for a while. */
function outages(world: World, chance: Chance): void {
  for (const engine of world.engines) {
    if (!chance.happens(0.1)) continue;
    engine.connects(chance.of(["refused", "refused", "silence", "silence", "EMFILE"] as const));
    if (chance.happens(0.5))
      world.network.after(chance.below(4_000), () => engine.connects(undefined));
  }
}

/** Decode engines die, one after the other; each is back before the next one dies. */
function kill(world: World, chance: Chance, happened: Happened): void {
  const { network } = world;
  let atMs = chance.below(200);
  for (let i = 2 + chance.below(6); i > 0; i -= 1) {
    const engine = chance.of(world.decode);
    network.after(atMs, () => {
      happened.engineDeaths += 1;
      engine.connects("refused");
      for (const { socket } of engine.connections) if (!socket.closed) socket.cut("rst");
    });
    network.after(atMs + 80, () => engine.connects(undefined));
    atMs += 300 + chance.below(200);
  }
}

/** An engine's process is killed, in the middle of whatever it streams, and is started again. */
function die(world: World, chance: Chance): void {
  const engine = chance.of(chance.happens(0.7) ? world.decode : world.engines);
  engine.connects("refused");
  for (const { socket } of engine.connections) if (!socket.closed) socket.cut("rst");
  world.network.after(chance.below(2_000), () => engine.connects(undefined));
}

/** The configuration without one of the engines; each pool keeps one. */
function without(world: World, chance: Chance): Config {
  const { config } = world;
  const name = chance.of(Object.keys(config.pools));
  const pool = config.pools[name]!;
  if (pool.engines.length < 2) return config;
  const gone = chance.below(pool.engines.length);
  const engines = pool.engines.filter((_, i) => i !== gone);
  return { ...config, pools: { ...config.pools, [name]: { ...pool, engines } } };
}
