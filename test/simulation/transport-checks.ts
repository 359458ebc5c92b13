/**
 * What every transport does alike, as far as the proxy relies on it. The checks run on sockets of Node, of Bun and in
 * memory: so the simulation's network is held to the real one.
 */
import assert from "node:assert/strict";
import type { Socket, SocketHandler, Transport } from "../../src/transport/socket.ts";

/** A transport, with a way to let things happen on it. */
export interface Ground {
  readonly transport: Transport;
  /** Waits until it holds. */
  until(holds: () => boolean): Promise<void>;
  /** Waits for a while in which nothing is expected. */
  pause(): Promise<void>;
}

/** Notes what happens on one socket. */
class End implements SocketHandler {
  socket!: Socket;
  readonly received: Buffer[] = [];
  bytes = 0;
  connects = 0;
  drains = 0;
  ends = 0;
  closes = 0;
  error: Error | undefined;

  onConnect(): void {
    this.#alive();
    this.connects += 1;
  }
  onData(chunk: Buffer): void {
    this.#alive();
    this.received.push(chunk);
    this.bytes += chunk.length;
  }
  onDrain(): void {
    this.#alive();
    this.drains += 1;
  }
  onEnd(): void {
    this.#alive();
    this.ends += 1;
  }
  onClose(error: Error | undefined): void {
    this.#alive();
    this.closes += 1;
    this.error = error;
  }
  get text(): string {
    return Buffer.concat(this.received).toString();
  }
  #alive(): void {
    assert.equal(this.closes, 0, "nothing comes after onClose");
  }
}

interface Pair {
  /** The side that connected, and the one that was connected to. */
  readonly near: End;
  readonly far: End;
}

type Check = (ground: Ground, connect: () => Promise<Pair>) => Promise<void>;

const large = Buffer.alloc(20_000_000, "large ");

export const checks: Readonly<Record<string, Check>> = {
  "bytes arrive in order, and their memory may be used again": async ({ until }, connect) => {
    const { near, far } = await connect();
    const memory = Buffer.alloc(5);
    for (const word of ["one, ", "two, ", "three"]) {
      memory.write(word);
      near.socket.write(memory);
      assert.equal(near.socket.pendingBytes, 0);
    }
    await until(() => far.bytes === 15);
    assert.equal(far.text, "one, two, three");
  },

  "a reader that pauses holds back the writer, until it resumes": async (ground, connect) => {
    const { near, far } = await connect();
    far.socket.pause();
    near.socket.write(large);
    await ground.pause();
    const had = far.bytes;
    const pending = near.socket.pendingBytes;
    assert.ok(pending > 0 && pending <= large.length);
    await ground.pause();
    assert.equal(far.bytes, had);
    assert.equal(near.drains, 0);
    far.socket.resume();
    await ground.until(() => far.bytes === large.length && near.drains === 1);
    assert.equal(near.socket.pendingBytes, 0);
    assert.ok(Buffer.concat(far.received).equals(large));
  },

  "a slow reader can be told from one that does not read": async (ground, connect) => {
    const { near, far } = await connect();
    far.socket.pause();
    near.socket.write(large);
    const state = () => `${near.socket.pendingBytes} ${near.socket.writeQueueBytes}`;
    let before = "";
    // Until the kernels are full.
    while (before !== state()) {
      before = state();
      await ground.pause();
    }
    const onData = far.onData.bind(far);
    far.onData = (chunk) => {
      onData(chunk);
      if (far.bytes > 6_000_000) far.socket.pause();
    };
    far.socket.resume();
    await ground.until(() => far.bytes > 6_000_000 && state() !== before);
    assert.ok(near.socket.pendingBytes > 0);
    assert.notEqual(state(), before);
    near.socket.destroy();
  },

  "an end comes behind all that was written; the other side may still answer": async (
    ground,
    connect,
  ) => {
    const { near, far } = await connect();
    far.socket.write(large);
    far.socket.end();
    const deliveringLeg = near.onEnd.bind(near);
    near.onEnd = () => {
      deliveringLeg();
      assert.equal(near.bytes, large.length);
    };
    await ground.until(() => near.ends === 1);
    await ground.until(() => near.closes === 1 && far.closes === 1);
    assert.equal(near.error ?? far.error, undefined);
  },

  "the side that was connected to stays open when its peer has ended": async (ground, connect) => {
    const { near, far } = await connect();
    near.socket.write(Buffer.from("question"));
    near.socket.end();
    await ground.until(() => far.ends === 1);
    await ground.pause();
    assert.equal(far.closes, 0);
    far.socket.write(Buffer.from("answer"));
    await ground.until(() => near.text === "answer");
    far.socket.end();
    await ground.until(() => near.closes === 1 && far.closes === 1);
  },

  "the side that has ended still reads what its peer sends": async (ground, connect) => {
    const { near, far } = await connect();
    far.socket.write(Buffer.from("too large"));
    far.socket.end();
    // A client that goes on with its upload for a while.
    near.socket.write(Buffer.from("x".repeat(100_000)));
    await ground.until(() => far.bytes === 100_000 && near.text === "too large");
    near.socket.destroy();
    await ground.until(() => far.closes === 1);
  },

  "destroy delivers what the kernel has": async (ground, connect) => {
    const { near, far } = await connect();
    far.socket.write(Buffer.from("last words"));
    far.socket.destroy();
    await ground.until(() => near.closes === 1 && far.closes === 1);
    assert.equal(near.text, "last words");
    assert.equal(near.ends, 1);
    assert.equal(far.error, undefined);
  },

  "reset is an error to the peer, not an end": async (ground, connect) => {
    const { near, far } = await connect();
    far.socket.reset();
    await ground.until(() => near.closes === 1 && far.closes === 1);
    assert.equal(near.ends, 0);
    assert.ok(near.error instanceof Error);
    assert.equal(far.error, undefined);
  },

  "writes to a peer that is gone end the connection, without an exception": async (
    ground,
    connect,
  ) => {
    const { near, far } = await connect();
    far.socket.destroy();
    for (let i = 0; i < 20 && near.closes === 0; i += 1) {
      near.socket.write(Buffer.from("anyone?"));
      await ground.pause();
    }
    await ground.until(() => near.closes === 1);
    near.socket.write(Buffer.from("anyone?"));
    near.socket.destroy();
    near.socket.end();
    await ground.pause();
  },

  "what is written before the connection is up arrives": async ({ transport, until }) => {
    const far = new End();
    const listener = await listen(transport, far);
    const near = new End();
    near.socket = transport.connect(listener.address, near);
    near.socket.write(Buffer.from("early, "));
    near.socket.write(Buffer.from("very"));
    assert.equal(near.socket.pendingBytes, 11);
    await until(() => far.text === "early, very");
    assert.equal(near.socket.pendingBytes, 0);
    assert.equal(near.connects, 1);
    near.socket.destroy();
    listener.close();
  },

  "a socket that is paused as it is accepted keeps its bytes for its next owner": async (
    ground,
  ) => {
    const { transport, until } = ground;
    const [first, near, far] = [new End(), new End(), new End()];
    const listener = await listen(transport, first, (socket) => socket.pause());
    near.socket = transport.connect(listener.address, near);
    near.socket.write(Buffer.from("early"));
    await until(() => first.socket !== undefined && near.connects === 1);
    await ground.pause();
    assert.equal(first.bytes, 0);
    far.socket = first.socket;
    far.socket.handler = far;
    far.socket.resume();
    await until(() => far.text === "early");
    near.socket.destroy();
    await until(() => far.ends === 1);
    far.socket.destroy();
    await until(() => far.closes === 1);
    assert.equal(first.ends + first.closes, 0);
    listener.close();
  },

  "a refused connect is one error": async ({ transport, until, pause }) => {
    const listener = await listen(transport, new End());
    listener.close();
    await pause();
    const near = new End();
    near.socket = transport.connect(listener.address, near);
    near.socket.write(Buffer.from("lost"));
    await until(() => near.closes === 1);
    await pause();
    assert.equal(near.connects, 0);
    assert.equal((near.error as NodeJS.ErrnoException).code, "ECONNREFUSED");
  },

  "a connect that is given up says no more than that": async ({ transport, until, pause }) => {
    const far = new End();
    const listener = await listen(transport, far);
    const near = new End();
    near.socket = transport.connect(listener.address, near);
    near.socket.destroy();
    await until(() => near.closes === 1);
    await pause();
    assert.equal(near.connects, 0);
    assert.equal(near.error, undefined);
    listener.close();
  },
};

function listen(transport: Transport, far: End, accepted: (socket: Socket) => void = () => {}) {
  const address = { host: "127.0.0.1", port: 0, reusePort: false, backlog: 16 };
  return transport.listen(address, (socket) => {
    socket.handler = far;
    far.socket = socket;
    accepted(socket);
  });
}

/** Runs one check on a new listener. */
export async function runCheck(check: Check, ground: Ground): Promise<void> {
  const far = new End();
  const listener = await listen(ground.transport, far);
  const near = new End();
  const connect = async (): Promise<Pair> => {
    near.socket = ground.transport.connect(listener.address, near);
    await ground.until(() => near.connects === 1 && far.socket !== undefined);
    return { near, far };
  };
  await check(ground, connect);
  listener.close();
  near.socket?.destroy();
  far.socket?.destroy();
}

/** A ground on real sockets. */
export function realGround(transport: Transport): Ground {
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  return {
    transport,
    async until(holds) {
      for (let i = 0; !holds(); i += 1) {
        assert.ok(i < 30_000, "it takes too long");
        await sleep(2);
      }
    },
    pause: async () => void (await sleep(60)),
  };
}
