/** Stands between an engine's KV events and the proxy, and loses whole messages when it is told to. */
import { once } from "node:events";
import { connect, createServer } from "node:net";

/** ZMTP 3: a greeting of 64 bytes, then frames: a byte of flags, and the length in 1 or 8 bytes. */
const greetingBytes = 64;
const flags = { more: 1, long: 2, command: 4 };

/** Calls `onFrame(flags, bytes)` with each whole frame, and `onGreeting(bytes)` before. */
function framesOf(onGreeting, onFrame) {
  let rest = Buffer.alloc(0);
  let isGreeted = false;
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    if (!isGreeted) {
      if (rest.length < greetingBytes) return;
      onGreeting(rest.subarray(0, greetingBytes));
      rest = rest.subarray(greetingBytes);
      isGreeted = true;
    }
    while (rest.length >= 2) {
      const isLong = (rest[0] & flags.long) !== 0;
      if (isLong && rest.length < 9) return;
      const head = isLong ? 9 : 2;
      const length = isLong ? Number(rest.readBigUInt64BE(1)) : rest[1];
      if (rest.length < head + length) return;
      onFrame(rest[0], rest.subarray(0, head + length));
      rest = rest.subarray(head + length);
    }
  };
}

/** Resolves when it listens. @param port of the engine's events */
export async function lossyRelay(port) {
  const relay = { port: 0, lost: 0, isLosing: false, close: undefined };
  const sockets = new Set();
  const server = createServer((proxy) => {
    const engine = connect(port, "127.0.0.1");
    for (const [one, other] of [
      [proxy, engine],
      [engine, proxy],
    ]) {
      sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    proxy.pipe(engine);
    let isLost = false;
    let isFirst = true;
    const onFrame = (flag, frame) => {
      if ((flag & flags.command) !== 0) return proxy.write(frame);
      // A message is lost as a whole.
      if (isFirst) isLost = relay.isLosing;
      isFirst = (flag & flags.more) === 0;
      if (!isLost) proxy.write(frame);
      else if (isFirst) relay.lost += 1;
    };
    engine.on(
      "data",
      framesOf((greeting) => proxy.write(greeting), onFrame),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  relay.port = server.address().port;
  relay.close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return relay;
}
