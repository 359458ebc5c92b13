/** A batch of one engine must never count as another's: which engine a publisher is that has connected by itself. */
import { expect, it } from "vitest";
import { enginesOfPublisher, placeIn } from "../../src/kv-events/publisher-engine.ts";

const engine = (host: string, port: number) => ({ name: `${host}:${port}`, host, port });
const fleet = [
  engine("10.0.0.1", 8000),
  engine("10.0.0.2", 8000),
  engine("10.0.0.2", 8001),
  engine("fd00::1", 8000),
  engine("p1.local", 8000),
  // Of another pool.
  engine("10.0.0.1", 8000),
];
const addressesOf = (host: string) => (host === "p1.local" ? ["10.0.0.9"] : []);
const named = (topic: string, peer: string) =>
  enginesOfPublisher(fleet, topic, peer, addressesOf).map(({ name }) => name);

it.each([
  ["kv@10.0.0.2:8001@m", "10.9.9.9", ["10.0.0.2:8001"]],
  ["kv@10.0.0.1@org/m@v1", "10.9.9.9", ["10.0.0.1:8000", "10.0.0.1:8000"]],
  ["kv@[fd00:0::1]:8000@m", "10.9.9.9", ["fd00::1:8000"]],
  ["kv@fd00::1@m", "10.9.9.9", ["fd00::1:8000"]],
  ["kv@P1.local@m", "10.9.9.9", ["p1.local:8000"]],
  ["kv@10.0.0.9:8000@m", "10.9.9.9", ["p1.local:8000"]],
  ["", "::ffff:10.0.0.1", ["10.0.0.1:8000", "10.0.0.1:8000"]],
  ["", "fd00:0:0::1%eth0", ["fd00::1:8000"]],
  ["", "10.0.0.9", ["p1.local:8000"]],
  // The name of a pod.
  ["kv@vllm-0@m", "10.0.0.1", ["10.0.0.1:8000", "10.0.0.1:8000"]],
])("topic %j from %s is of %j", (topic, peer, expected) => {
  expect(named(topic, peer)).toEqual(expected);
});

it.each([
  ["two engines have the address", "", "10.0.0.2"],
  ["two engines have the topic's host", "kv@10.0.0.2@m", "10.0.0.1"],
  ["another port is named", "kv@10.0.0.1:8001@m", "10.0.0.1"],
  ["another port is named with a pod's name", "kv@vllm-0:8001@m", "10.0.0.1"],
  ["nobody has the address", "", "10.9.9.9"],
])("it is nobody's where %s", (_, topic, peer) => {
  expect(named(topic, peer)).toEqual([]);
});

it.each(["", "kv@", "kv@@m", "other@10.0.0.1@m", "kv@[@m", "kv@a:b:c@m"])(
  "topic %j names no engine",
  (topic) => {
    expect(placeIn(topic)).toBeUndefined();
  },
);
