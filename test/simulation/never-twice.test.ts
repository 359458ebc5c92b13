/** What must not be done twice reaches one engine only; what computes something may reach another. */
import { describe, expect, test } from "vitest";
import type { Client } from "./client.ts";
import { type Engine, response, type Script } from "./engine.ts";
import { World, type WorldOptions } from "./world.ts";

type Retry = NonNullable<NonNullable<WorldOptions["route"]>["retry"]>;

function worldOf(retry: Retry = {}, route: WorldOptions["route"] = {}): World {
  const world = new World({ decode: 2, route: { ...route, retry } });
  for (const engine of world.decode) {
    engine.checksTransfer = false;
    engine.script = (_, { send }) => send(response('{"ok":true}'));
  }
  return world;
}

function ask(world: World, method: string, path: string, client: Client = world.client()): Client {
  const head = `${method} ${path} HTTP/1.1\r\nHost: proxy\r\nContent-Length: 2\r\n\r\n{}`;
  client.send(head, method);
  return client;
}

const seen = ({ requests }: Engine) => requests.length;

const faults: Record<string, { readonly status: number; readonly befall: Script }> = {
  resets: { status: 502, befall: (_, { socket }) => socket.cut("rst") },
  "is silent": { status: 504, befall: () => {} },
  "says no HTTP": { status: 502, befall: (_, { send }) => send("NONSENSE\r\n\r\n") },
  "responds with 500": {
    status: 500,
    befall: (_, { send }) => send(response("{}", "500 Internal Server Error")),
  },
};

const changing = [
  "/v1/batches",
  "/v1/files",
  "/v1/uploads/u1/parts",
  "/v1/threads/t1/messages",
  "/v1/something-new",
  "/v1/responses/resp_1/cancel",
];
const computing = ["/v1/embeddings", "/v1/rerank", "/score", "/v1/audio/transcriptions"];

describe.each(Object.entries(faults))("an engine that %s", (_, { status, befall }) => {
  test.each(changing)("is the only one that gets a POST to %s", (path) => {
    const world = worldOf();
    world.decode[0]!.script = befall;
    expect(world.responseTo(ask(world, "POST", path)).status).toBe(status);
    expect(world.decode.map(seen)).toEqual([1, 0]);
    world.expectNothingLeft();
  });

  test.each(computing)("is replaced by another for a POST to %s", (path) => {
    const world = worldOf();
    world.decode[0]!.script = befall;
    expect(world.responseTo(ask(world, "POST", path)).status).toBe(200);
    expect(world.decode.map(seen)).toEqual([1, 1]);
    world.expectNothingLeft();
  });

  test.each(["GET", "OPTIONS"])("is replaced by another for a %s", (method) => {
    const world = worldOf();
    world.decode[0]!.script = befall;
    expect(world.responseTo(ask(world, method, "/v1/files/f1")).status).toBe(200);
    expect(world.decode.map(seen)).toEqual([1, 1]);
    world.expectNothingLeft();
  });

  test.each([
    ["PUT", "/v1/files/f1"],
    ["DELETE", "/v1/files/f1"],
    ["PATCH", "/v1/embeddings"],
    ["PURGE", "/v1/completions"],
  ])("is the only one that gets a %s of %s", (method, path) => {
    const world = worldOf();
    world.decode[0]!.script = befall;
    expect(world.responseTo(ask(world, method, path)).status).toBe(status);
    expect(world.decode.map(seen)).toEqual([1, 0]);
    world.expectNothingLeft();
  });

  test.each(["PUT", "DELETE"])("is replaced by another for a %s by nginx's rules", (method) => {
    const on = ["error", "timeout", "invalid_header", "http_500"] as const;
    const world = worldOf({ rules: "nginx", on: [...on] });
    world.decode[0]!.script = befall;
    expect(world.responseTo(ask(world, method, "/v1/files/f1")).status).toBe(200);
    expect(world.decode.map(seen)).toEqual([1, 1]);
    world.expectNothingLeft();
  });

  test("is the only one that gets a POST of inference by nginx's rules, without non_idempotent", () => {
    const on = ["error", "timeout", "invalid_header", "http_500"] as const;
    for (const allows of [false, true]) {
      const world = worldOf({
        rules: "nginx",
        on: allows ? [...on, "non_idempotent"] : [...on],
      });
      world.decode[0]!.script = befall;
      expect(world.responseTo(ask(world, "POST", "/v1/embeddings")).status).toBe(
        allows ? 200 : status,
      );
      expect(world.decode.map(seen)).toEqual([1, allows ? 1 : 0]);
      world.expectNothingLeft();
    }
  });
});

test("by nginx's rules a response whose head has come is the client's, even if it breaks off", () => {
  const breaks: Record<string, Script> = {
    "behind its head": (_, { send, after, socket }) => {
      send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
      after(20, () => socket.cut("rst"));
    },
    "in its body": (_, { send, after, socket }) => {
      send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
      after(20, () => socket.cut("fin"));
    },
    "by silence": (_, { send }) => send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
  };
  for (const [how, befall] of Object.entries(breaks)) {
    for (const method of ["GET", "POST"]) {
      const on = ["error", "timeout", "invalid_header", "non_idempotent"] as const;
      // As nginx.conf says it.
      const world = worldOf({ rules: "nginx", on: [...on] }, { byEndpoint: false });
      world.decode[0]!.script = befall;
      const client = ask(world, method, "/v1/embeddings");
      world.runUntil(() => client.ended !== undefined, 2_000);
      expect(client.answers, how).toEqual([]);
      expect(world.lines, how).toEqual(["200 GP_TRUNCATED - > decode1:9000"]);
      expect(world.decode.map(seen)).toEqual([1, 0]);
      world.expectNothingLeft();
    }
  }
});

test("a POST that no engine can have seen goes to another, whatever it does", () => {
  for (const rules of ["inference", "nginx"] as const) {
    const world = worldOf({ rules });
    world.decode[0]!.connects("refused");
    expect(world.responseTo(ask(world, "POST", "/v1/batches")).status).toBe(200);
    expect(world.decode.map(seen)).toEqual([0, 1]);
    world.expectNothingLeft();
  }
});

test("on a pooled connection that was stale, only what may run twice is sent once more", () => {
  const cases = [
    ["POST", "/v1/batches", 502],
    ["POST", "/v1/embeddings", 200],
    ["DELETE", "/v1/files/f1", 200],
    ["PATCH", "/v1/embeddings", 502],
  ] as const;
  for (const [method, path, status] of cases) {
    const world = new World({ decode: 1 });
    const [engine] = world.decode;
    engine!.checksTransfer = false;
    engine!.script = (_, connection) => {
      // The second request on a connection finds it closed.
      if (connection.requests > 1) connection.socket.cut("fin");
      else connection.send(response("{}"));
    };
    const client = world.client();
    expect(world.responseTo(ask(world, "GET", "/health", client)).status).toBe(200);
    expect(world.responseTo(ask(world, method, path, client)).status).toBe(status);
    expect(seen(engine!)).toBe(status === 200 ? 3 : 2);
    world.expectNothingLeft();
  }
});

test("403 and 404 lead to another engine where the route says so, and are no failures of the first", () => {
  for (const status of ["403 Forbidden", "404 Not Found"]) {
    const world = worldOf({ on: ["http_403", "http_404"] });
    world.decode[0]!.script = (_, { send }) => send(response("{}", status));
    for (let i = 0; i < 4; i += 1) {
      expect(world.responseTo(ask(world, "GET", "/v1/files")).status).toBe(200);
    }
    // The first one is asked again and again.
    expect(seen(world.decode[0]!)).toBeGreaterThan(1);
    world.expectNothingLeft();
  }
});
