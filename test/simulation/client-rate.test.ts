/** A client whose rate is limited gets all of its response, not too early, and its engine waits meanwhile. */
import { expect, it } from "vitest";
import { World, type WorldOptions } from "./world.ts";

type Route = NonNullable<WorldOptions["routes"]>[number];

function world(clientRate: Route["clientRate"], more: Partial<Route> = {}) {
  const one = new World({
    prefill: 0,
    decode: 1,
    routes: [
      { match: { path: "/" }, target: { pool: "decode" }, byEndpoint: false, clientRate, ...more },
    ],
  });
  return one;
}

const get = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

it.each([
  [{ bytesPerSecond: 1_000 }, 0, 1_000],
  [{ bytesPerSecond: "1k", afterBytes: 2_000 }, 2_000, 1_024],
])("%j: what comes at once, and a second later", (rate, after, perSecond) => {
  const one = world(rate);
  for (const engine of one.engines) {
    engine.checksTransfer = false;
    engine.script = (_, { send }) =>
      send(`HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n${"a".repeat(10_000)}`);
  }
  const client = one.client();
  client.send(get, "GET");
  for (let second = 0; second < 4; second += 1) {
    one.runFor(second === 0 ? 100 : 1_000);
    const most = after + perSecond * (second + 1.3);
    expect(client.receivedText.length).toBeLessThanOrEqual(most);
    expect(client.receivedText.length).toBeGreaterThan(most - perSecond);
  }
  one.responseTo(client, 20_000);
  expect(client.answers[0]?.body.length).toBe(10_000);
  client.send(get, "GET");
  one.responseTo(client, 20_000);
  one.expectNothingLeft();
});

it("a stream's engine is paused, and what waits stays bounded", () => {
  const one = world({ bytesPerSecond: 10_000 });
  let sent = 0;
  for (const engine of one.engines) {
    engine.checksTransfer = false;
    engine.script = (_, connection) => {
      connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      const more = () => {
        if (connection.socket.pendingBytes === 0) {
          connection.send(`${(65_536).toString(16)}\r\n${"a".repeat(65_536)}\r\n`);
          sent += 65_536;
        }
        connection.after(10, more);
      };
      more();
    };
  }
  const client = one.client();
  client.send(get, "GET");
  one.runFor(10_000);
  expect(client.receivedText.length).toBeLessThan(130_000);
  expect(sent).toBeLessThan(1_500_000);
  client.socket.destroy();
  one.runFor(1_000);
  one.expectNothingLeft();
});
