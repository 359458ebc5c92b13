/** Peers that send faster than they are read hold up no timer: an event loop's turn has a bound. */
import { afterEach, describe, expect, test } from "vitest";
import { readTurnBytesMax, readTurnSocketsMax } from "../../src/limits.ts";
import { ReadTurn, type TurnTaker } from "../../src/transport/read-turn.ts";
import { noHandler, type Socket, type SocketHandler } from "../../src/transport/socket.ts";
import { tcp } from "../../src/transport/tcp.ts";
import { eventually } from "../support/eventually.ts";

describe("a turn", () => {
  test("holds each socket that is read after too much was read, and lets all go on in the next", () => {
    const tasks: (() => void)[] = [];
    const turn = new ReadTurn((task) => tasks.push(task));
    const events: string[] = [];
    const taker = (name: string): TurnTaker => ({
      holdTurn: () => events.push(`${name} waits`),
      takeTurn: () => events.push(name),
    });
    const [a, b] = [taker("a"), taker("b")];
    let signs = 0;
    turn.goesOn = () => {
      signs += 1;
    };
    turn.took(a, readTurnBytesMax - 1);
    expect([events, tasks.length]).toEqual([[], 0]);
    turn.took(b, 1);
    turn.took(a, 1);
    expect([events, tasks.length]).toEqual([["b waits", "a waits"], 1]);
    expect(signs).toBe(2);
    tasks[0]!();
    expect(events.slice(2)).toEqual(["b", "a"]);
    turn.took(a, readTurnBytesMax - 1);
    expect(events.length).toBe(4);
  });

  test("lets a bounded number go on, in their order", () => {
    const tasks: (() => void)[] = [];
    const turn = new ReadTurn((task) => tasks.push(task));
    const went: number[] = [];
    const count = 2 * readTurnSocketsMax + 1;
    for (let index = 0; index < count; index += 1) {
      turn.took({ holdTurn() {}, takeTurn: () => went.push(index) }, readTurnBytesMax);
    }
    const lengths: number[] = [];
    while (tasks.length > 0) {
      tasks.shift()!();
      lengths.push(went.length);
    }
    expect(lengths).toEqual([readTurnSocketsMax, 2 * readTurnSocketsMax, count]);
    expect(went).toEqual(Array.from({ length: count }, (_, index) => index));
  });
});

/** What one end of each connection has read in this turn of the event loop, and in the longest one. */
class Turns {
  bytes = 0;
  most = 0;
  total = 0;
  readonly handler: SocketHandler = {
    ...noHandler,
    onData: (chunk) => {
      if (this.bytes === 0) setImmediate(() => this.#end());
      this.bytes += chunk.length;
      this.total += chunk.length;
    },
  };
  #end(): void {
    this.most = Math.max(this.most, this.bytes);
    this.bytes = 0;
  }
}

describe("sockets that all have more than a turn's bytes", () => {
  const count = 16;
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  /** Pairs of sockets, of which one end does not read yet. */
  async function pairs(reader: "connecting" | "accepted", turns: Turns) {
    const accepted: Socket[] = [];
    const where = { host: "127.0.0.1", port: 0, reusePort: false, backlog: 64 };
    const reading = reader === "accepted" ? turns.handler : noHandler;
    const listener = await tcp.listen(where, (socket) => {
      socket.handler = reading;
      if (reader === "accepted") socket.pause();
      accepted.push(socket);
    });
    const connecting = Array.from({ length: count }, () =>
      tcp.connect(
        { host: "127.0.0.1", port: listener.address.port },
        reader === "connecting" ? turns.handler : noHandler,
      ),
    );
    if (reader === "connecting") for (const socket of connecting) socket.pause();
    sockets.push(...connecting);
    await eventually(() => accepted.length === count);
    sockets.push(...accepted);
    listener.close();
    return reader === "accepted"
      ? { readers: accepted, writers: connecting }
      : { readers: connecting, writers: accepted };
  }

  test.each(["connecting", "accepted"] as const)("%s sockets", async (reader) => {
    const turns = new Turns();
    const { readers, writers } = await pairs(reader, turns);
    const piece = Buffer.alloc(262_144);
    let kernelBytes = 0;
    for (const writer of writers) {
      while (writer.pendingBytes === 0) {
        writer.write(piece);
        kernelBytes += piece.length;
      }
    }
    // More waits than one turn may read, so a turn without a bound would show.
    const turnMax = readTurnBytesMax + count * 2 * 65_536;
    expect(kernelBytes).toBeGreaterThan(2 * turnMax);
    for (const socket of readers) socket.resume();
    await eventually(() => turns.total >= kernelBytes);
    expect(turns.most).toBeLessThanOrEqual(turnMax);
  });
});
