/**
 * A relay between the proxy and one engine that sees whose request is on a connection, can hold bytes back, and notes
 * when the proxy gives a leg up. Requests carry `abort-N-` near their beginning.
 */
import { once } from "node:events";
import { connect, createServer } from "node:net";

const marker = /abort-(\d+)-/;

export class Wire {
  /** How long what the engine says is held back, in ms. */
  holdResponseMs = 0;
  /** How long a request is held back once its beginning has come, in ms; the rest is not read meanwhile. */
  holdRequestMs = 0;
  /** Set by the run: `requested`, `forwarded`, `responds`, each with the request's number. */
  on = { requested() {}, forwarded() {}, responds() {} };
  #legs = new Map();
  #server;
  #targetPort;

  constructor(targetPort) {
    this.#targetPort = targetPort;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this.#server.address().port;
  }

  close() {
    this.#server.close();
  }

  /** The leg of a request whose response is not complete; undefined = there is none, or the proxy has given it up. */
  openLeg(number) {
    const leg = this.#legs.get(number);
    return leg?.isOpen ? leg : undefined;
  }

  forget(number) {
    this.#legs.delete(number);
  }

  #accept(socket) {
    socket.setNoDelay(true);
    const engine = connect({ port: this.#targetPort, host: "127.0.0.1", allowHalfOpen: true });
    engine.setNoDelay(true);
    let leg;
    let held;
    const givenUp = () => leg?.givenUp();
    // What is on the way arrives all the same, and then the end.
    const behindHeld = (run) => (held === undefined ? run() : setTimeout(run, this.holdRequestMs));
    socket.on("data", (chunk) => {
      const [, number] = marker.exec(chunk.toString("latin1", 0, 2_048)) ?? [];
      const hold = number === undefined ? 0 : this.holdRequestMs;
      if (number !== undefined) {
        leg = new Leg();
        // The request that frees a KV cache is no leg of its request.
        if (!this.#legs.has(Number(number))) this.#legs.set(Number(number), leg);
        this.on.requested(Number(number));
      }
      const forward = () => {
        engine.write(chunk);
        if (number !== undefined) this.on.forwarded(Number(number));
      };
      if (hold === 0) return forward();
      socket.pause();
      held = setTimeout(() => {
        held = undefined;
        socket.resume();
        forward();
      }, hold);
    });
    engine.on("data", (chunk) => {
      const number = leg?.isOpen ? [...this.#legs].find(([, one]) => one === leg)?.[0] : undefined;
      if (number !== undefined) this.on.responds(number);
      const of = leg;
      setTimeout(() => {
        of?.saw(chunk);
        socket.write(chunk);
      }, this.holdResponseMs);
    });
    socket.on("end", () => {
      givenUp();
      behindHeld(() => engine.end());
    });
    engine.on("end", () => setTimeout(() => socket.end(), this.holdResponseMs));
    socket.on("error", () => {});
    engine.on("error", () => socket.destroy());
    socket.on("close", () => {
      givenUp();
      behindHeld(() => engine.destroySoon());
    });
  }
}

/** One request at one engine. Resolves `over` with the time at which the proxy gave it up. */
class Leg {
  isOpen = true;
  over = new Promise((resolve) => {
    this.resolve = resolve;
  });
  #left = -1;

  givenUp() {
    this.isOpen = false;
    this.resolve(performance.now());
  }

  /** A response that is complete leaves nothing to give up. */
  saw(chunk) {
    if (!this.isOpen) return;
    let bytes = chunk.length;
    if (this.#left < 0) {
      const head = chunk.indexOf("\r\n\r\n");
      const [, length] = /content-length: *(\d+)/i.exec(chunk.toString("latin1", 0, head)) ?? [];
      this.#left = length === undefined ? Number.POSITIVE_INFINITY : Number(length);
      bytes -= head + 4;
    }
    this.#left -= bytes;
    const isLast = this.#left === Number.POSITIVE_INFINITY && chunk.subarray(-5).equals(lastChunk);
    if (this.#left <= 0 || isLast) {
      this.isOpen = false;
      this.resolve(Number.NaN);
    }
  }
}

const lastChunk = Buffer.from("0\r\n\r\n");
