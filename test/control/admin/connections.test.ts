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
  connections = new Connections({ max: 2, requestTimeoutMs: 1_000 });
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

test("what has closed takes no place and cannot come back", () => {
  const gone = connect();
  connections.begin(gone);
  gone.destroy();
  connections.end(gone);
  connections.begin(gone);
  const [first, second] = [connect(), connect()];
  expect([first.isOpen, second.isOpen]).toEqual([true, true]);
});
