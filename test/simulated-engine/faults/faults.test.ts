import { describe, expect, it } from "vitest";
import { isInferencePath } from "../../../src/simulated-engine/endpoints/registry.ts";
import { checkFault, parseFault } from "../../../src/simulated-engine/faults/fault.ts";
import { FaultBook } from "../../../src/simulated-engine/faults/fault-book.ts";
import { startEngine } from "../../../src/simulated-engine/server.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../fake-clock.ts";
import { openRaw } from "../raw-client.ts";

describe("fault SPEC", () => {
  it.each([
    ["refuse", { kind: "refuse" }],
    ["refuse:500", { kind: "refuse", durationMs: 500 }],
    ["status:503", { kind: "status", code: 503 }],
    ["status", { kind: "status", code: 500 }],
    ["slow:delayMs=20,times=2", { kind: "slow", delayMs: 20, times: 2 }],
    ["reset-after-chunks:3,how=fin", { kind: "reset-after-chunks", chunks: 3, how: "fin" }],
    ["stall", { kind: "stall" }],
    ["stall:0,path=/v1/chat", { kind: "stall", chunks: 0, path: "/v1/chat" }],
    ["slower:2.5,durationMs=100", { kind: "slower", factor: 2.5, durationMs: 100 }],
    ["junk:html", { kind: "junk", body: "html" }],
    ["leak:durationMs=100", { kind: "leak", durationMs: 100 }],
    ["wrong-json:text", { kind: "wrong-json", variant: "text" }],
  ])("%s", (spec, fault) => {
    expect(parseFault(spec)).toMatchObject(fault);
  });

  it.each([
    "",
    "nonsense",
    "status:code=",
    "status:99",
    "slow:delay=3",
    "no-kv-params:3",
    "stall:-1",
    "junk:xml",
    "slower:0.5",
  ])("refuses %j", (spec) => {
    expect(() => parseFault(spec)).toThrow(/fault/);
  });
});

describe("fault book", () => {
  it("strikes as often as it was set, inference only unless a path is named, never /debug", () => {
    const book = new FaultBook(isInferencePath);
    book.set(checkFault({ kind: "status", times: 2 }), 0);
    expect(book.takeForRequest("/health")).toBeUndefined();
    expect(book.takeForRequest("/v1/completions")?.kind).toBe("status");
    expect(book.list(0)).toMatchObject([{ kind: "status", times: 1 }]);
    expect(book.takeForRequest("/v1/chat/completions")?.kind).toBe("status");
    expect(book.takeForRequest("/v1/completions")).toBeUndefined();
    book.set(checkFault({ kind: "slow", path: "/" }), 0);
    expect(book.takeForRequest("/debug/fault")).toBeUndefined();
    expect(book.takeForRequest("/health")?.kind).toBe("slow");
  });

  it("slows the whole engine down while it lasts, and strikes no request by it", () => {
    const book = new FaultBook(isInferencePath);
    expect(book.slowdown(0)).toBe(1);
    book.set(checkFault({ kind: "slower", durationMs: 100 }), 1_000);
    book.set(checkFault({ kind: "slower", factor: 2 }), 1_000);
    expect(book.takeForRequest("/v1/completions")).toBeUndefined();
    expect(book.slowdown(1_099)).toBe(20);
    expect(book.slowdown(1_100)).toBe(2);
  });

  it("ends a refusal when its time is over", () => {
    const book = new FaultBook(isInferencePath);
    book.set(checkFault({ kind: "refuse", durationMs: 100 }), 1_000);
    expect(book.refuses(1_099)).toBe(true);
    expect(book.refuses(1_100)).toBe(false);
    expect(book.takeForRequest("/v1/completions")).toBeUndefined();
  });
});

describe("a refusal with an end", () => {
  it("ends by itself, on the same port", async () => {
    const clock = new FakeClock();
    const engine = await startEngine({ role: "mixed", clock, faults: [parseFault("refuse:500")] });
    await expect(openRaw(engine.url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    clock.advance(499);
    await expect(openRaw(engine.url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    clock.advance(2);
    await eventually(async () => (await fetch(engine.url).catch(() => undefined)) !== undefined);
    await engine.close();
  });
});
