import { EventEmitter } from "node:events";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Connections } from "../../../src/control/admin/connections.ts";

class FakeConnection extends EventEmitter {
  isOpen = true;

  destroy(): void {
    this.isOpen = false;
    this.emit("close");
  }
}

let connections: Connections;

beforeEach(() => {
  vi.useFakeTimers();
  connections = new Connections({
    max: 2,
    requestTimeoutMs: 1_000,
    sendTimeoutMs: 2_000,
    pipelinedMax: 2,
  });
});
afterEach(() => void vi.useRealTimers());

function connect(): FakeConnection {
  const connection = new FakeConnection();
  connections.add(connection);
  return connection;
}

test("a connection without a complete request ends at its deadline", () => {
  const connection = connect();
  vi.advanceTimersByTime(999);
  expect(connection.isOpen).toBe(true);
  vi.advanceTimersByTime(1);
  expect(connection.isOpen).toBe(false);
});

test("a response may take longer, and its connection has a deadline again after the last one", () => {
  const connection = connect();
  connections.begin(connection);
  connections.begin(connection);
  vi.advanceTimersByTime(60_000);
  connections.end(connection);
  vi.advanceTimersByTime(60_000);
  expect(connection.isOpen).toBe(true);
  connections.end(connection);
  vi.advanceTimersByTime(1_000);
  expect(connection.isOpen).toBe(false);
});

test("a new connection takes the place of the oldest without a request, never of one at work", () => {
  const busy = connect();
  connections.begin(busy);
  const idle = connect();
  const next = connect();
  expect([busy, idle, next].map(({ isOpen }) => isOpen)).toEqual([true, false, true]);
  connections.begin(next);
  const refused = connect();
  expect([busy, next, refused].map(({ isOpen }) => isOpen)).toEqual([true, true, false]);
});

test("a client that does not read ends at its deadline, and one that reads slowly does not", () => {
  const [still, slow] = [connect(), connect()];
  for (const one of [still, slow]) {
    connections.begin(one);
    connections.stalled(one);
  }
  vi.advanceTimersByTime(1_999);
  connections.moved(slow);
  connections.stalled(slow);
  vi.advanceTimersByTime(1);
  expect([still, slow].map(({ isOpen }) => isOpen)).toEqual([false, true]);
  connections.moved(slow);
  vi.advanceTimersByTime(60_000);
  expect(slow.isOpen).toBe(true);
});

test("of two responses that wait, one that is read leaves the other its deadline", () => {
  const connection = connect();
  for (let i = 0; i < 2; i += 1) {
    connections.begin(connection);
    connections.stalled(connection);
  }
  connections.moved(connection);
  connections.end(connection);
  vi.advanceTimersByTime(2_000);
  expect(connection.isOpen).toBe(false);
});

test("a new connection takes the place of the oldest whose client does not read", () => {
  const [first, second] = [connect(), connect()];
  for (const one of [second, first]) {
    connections.begin(one);
    connections.stalled(one);
  }
  const next = connect();
  expect([first, second, next].map(({ isOpen }) => isOpen)).toEqual([true, false, true]);
});

test("a connection with more requests at a time than a few ends, and one that gets responses does not", () => {
  const connection = connect();
  for (let i = 0; i < 10; i += 1) {
    expect(connections.arrive(connection)).toBe(true);
    connections.leave(connection);
  }
  expect([1, 2, 3].map(() => connections.arrive(connection))).toEqual([true, true, false]);
  expect(connection.isOpen).toBe(false);
});

test("what has closed takes no place and cannot come back", () => {
  const gone = connect();
  connections.begin(gone);
  gone.destroy();
  connections.end(gone);
  connections.begin(gone);
  const [first, second] = [connect(), connect()];
  expect([first.isOpen, second.isOpen]).toEqual([true, true]);
});
