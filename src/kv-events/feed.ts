/** The KV events of one engine, over its sockets: hears them, asks for those that are missing, and follows them. */
import { kvBatchBytesMax, kvReplayAgainMs, kvReplayTimeoutMs } from "../limits.ts";
import { ZmtpClient } from "../transport/zmtp/client.ts";
import { type FollowerActions, KvFollower } from "./follower.ts";

export interface KvEndpoint {
  readonly host: string;
  /** 0 = the engine connects to the proxy. */
  readonly port: number;
  /** 0 = what was missed cannot be asked for. */
  readonly replayPort: number;
  readonly topic: string;
}

export interface KvFeedEvents {
  /** Nothing of what the engine had is there, or it may be so. */
  restarted(): void;
  lostTrack(why: string): void;
}

export class KvFeed implements FollowerActions {
  readonly #endpoint: KvEndpoint;
  readonly #events: KvFeedEvents;
  readonly #follower: KvFollower;
  /** Undefined = the engine connects to the proxy. */
  readonly #subscriber: ZmtpClient | undefined;
  #asking: ZmtpClient | undefined;
  #timer: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  /** What is the same with each try is reported once. */
  #reported = "";

  constructor(endpoint: KvEndpoint, events: KvFeedEvents) {
    this.#endpoint = endpoint;
    this.#events = events;
    this.#follower = new KvFollower(this);
    const { host, port, topic } = endpoint;
    if (port === 0) return;
    this.#subscriber = new ZmtpClient(
      { type: "SUB", host, port, topic, messageBytesMax: kvBatchBytesMax },
      {
        connected: () => this.publisherConnected(),
        message: (parts) => this.published(parts),
        lost: (why) => this.publisherLost(why),
      },
    );
  }

  open(): void {
    this.#subscriber?.open();
    this.#again = setInterval(() => {
      if (this.#follower.isBehind) this.#follower.catchUp();
    }, kvReplayAgainMs);
    this.#again.unref();
  }

  close(): void {
    clearInterval(this.#again);
    this.#stopAsking();
    this.#subscriber?.close();
  }

  /** What the engine has, by its own word; undefined = that is not known. */
  get cache() {
    return this.#follower.isExact ? this.#follower.cache : undefined;
  }

  // ---- What becomes of the connection on which the engine publishes ----

  publisherConnected(): void {
    this.#reported = "";
    this.#follower.connected();
  }

  published(parts: readonly Buffer[]): void {
    this.#follower.published(parts);
  }

  publisherLost(why: string): void {
    this.lostTrack(why);
    this.#follower.lost();
  }

  // ---- What the follower asks ----

  replay(from: number): boolean {
    const { host, replayPort } = this.#endpoint;
    this.#stopAsking();
    if (replayPort === 0) return false;
    const start = Buffer.alloc(8);
    start.writeBigUInt64BE(BigInt(from));
    const asking = new ZmtpClient(
      { type: "DEALER", host, port: replayPort, messageBytesMax: kvBatchBytesMax },
      {
        connected: () => asking.send([Buffer.alloc(0), start]),
        message: (parts) => {
          this.#timer?.refresh();
          this.#follower.replayed(parts);
        },
        lost: (why) => this.#askingEnded(asking, why),
      },
    );
    this.#asking = asking;
    this.#timer = setTimeout(() => this.#askingEnded(asking, "no answer"), kvReplayTimeoutMs);
    this.#timer.unref();
    asking.open();
    return true;
  }

  restarted(): void {
    this.#events.restarted();
  }

  lostTrack(why: string): void {
    if (why === this.#reported) return;
    this.#reported = why;
    this.#events.lostTrack(why);
  }

  #askingEnded(asking: ZmtpClient, why: string): void {
    if (this.#asking !== asking) return;
    this.#stopAsking();
    this.#follower.replayEnded(why);
  }

  #stopAsking(): void {
    clearTimeout(this.#timer);
    this.#asking?.close();
    this.#asking = undefined;
  }
}
