/** Events over real sockets: from a publisher that drops some, and is started anew. */
import { afterEach, expect, it } from "vitest";
import { KvFeed } from "../../src/kv-events/feed.ts";
import { TokenKeys } from "../../src/prefix-cache/token-keys.ts";
import { KvPublisher } from "../../src/simulated-engine/kv/kv-publisher.ts";
import { eventually } from "../support/eventually.ts";
import { freePortRun } from "../support/ports.ts";

const host = "127.0.0.1";
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const first = new TokenKeys(Int32Array.of(1, 2));
const both = new TokenKeys(Int32Array.of(1, 2, 3, 4));
const blockTokens = 2;

it("an engine that cannot be reached, and one that cannot be asked, are reported once", async () => {
  const publisher = new KvPublisher();
  ends.push(() => publisher.close());
  const [events, nobody] = [await freePortRun(1), await freePortRun(1)];
  const reported: string[] = [];
  const feed = new KvFeed(
    { host, port: events, replayPort: nobody, topic: "" },
    { restarted: () => {}, lostTrack: (why) => reported.push(why) },
  );
  ends.push(() => feed.close());
  feed.open();
  await eventually(() => reported.length === 1);
  await publisher.listen(events, host);
  await eventually(() => reported.length === 2);
  expect(reported[0]).toContain("ECONNREFUSED");
  expect(reported[1]).toContain("cannot be had again: connect ECONNREFUSED");
});

async function start(ports = { events: 0, replay: 0 }, isOlder = false, firstSeq = 0) {
  const publisher = new KvPublisher({ isOlder, firstSeq, topic: "kv@10.0.0.1@tiny" });
  ends.push(() => publisher.close());
  const events = await publisher.listen(ports.events, host);
  const replay = await publisher.listenForReplay(ports.replay, host);
  return { publisher, events, replay };
}

it.each([
  [false, 0],
  [false, 1],
  [true, 0],
])(
  "what an engine drops is asked for, and what it forgets with its life is forgotten; older: %s, counts from %s",
  async (isOlder, firstSeq) => {
    const { publisher, events, replay } = await start(undefined, isOlder, firstSeq);
    publisher.stored({ hashes: [1n], parent: undefined, tokens: [1, 2], blockTokens });
    publisher.publish();
    let restarts = 0;
    const feed = new KvFeed(
      { host, port: events, replayPort: replay, topic: "" },
      {
        restarted: () => {
          restarts += 1;
        },
        lostTrack: () => {},
      },
    );
    ends.push(() => feed.close());
    feed.open();
    await eventually(() => feed.cache?.leadingTokens(both) === 2);
    publisher.stored({ hashes: [2n], parent: 1n, tokens: [3, 4], blockTokens });
    publisher.publish(true);
    publisher.stored({ hashes: [3n], parent: undefined, tokens: [9, 9], blockTokens });
    publisher.publish();
    await eventually(() => feed.cache?.leadingTokens(both) === 4);
    publisher.removed([2n]);
    publisher.publish();
    await eventually(() => feed.cache?.leadingTokens(both) === 2);
    publisher.close();
    await eventually(() => feed.cache === undefined && restarts === 1);
    await start({ events, replay }, isOlder, firstSeq);
    await eventually(() => feed.cache?.leadingTokens(first) === 0);
  },
);
