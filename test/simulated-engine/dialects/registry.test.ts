import { describe, expect, it } from "vitest";
import { chooseDialect, dialects } from "../../../src/simulated-engine/dialects/registry.ts";
import { startEngine } from "../../../src/simulated-engine/server.ts";

describe("a dialect is chosen by name", () => {
  it("with settings", () => {
    expect(chooseDialect("omni:a=1,b=c=d")).toMatchObject({
      dialect: { name: "omni" },
      settings: { a: "1", b: "c=d" },
    });
  });

  it.each([
    ["omny", 'did you mean "omni"?'],
    ["something-else", "the dialects are: omni"],
    ["vllm-nxil", 'did you mean "vllm-nixl"?'],
    ["omni:a", '"a" is not key=value'],
  ])("%s is refused with a hint", (spec, hint) => {
    expect(() => chooseDialect(spec)).toThrow(hint);
  });

  it("an engine does not start with settings or a role that the dialect does not have", async () => {
    await expect(startEngine({ role: "mixed", dialect: "omni:a=1" })).rejects.toThrow('"a"');
    await expect(startEngine({ role: "encode" })).rejects.toThrow("needs an ec-transfer");
    await expect(startEngine({ role: "encode", ecTransfer: "push" })).rejects.toThrow('"push"');
  });
});

describe.each(dialects)("$name", ({ name, roles }) => {
  it.each(roles)("starts as %s, and ends", async (role) => {
    const engine = await startEngine({ role, dialect: name });
    expect(engine.state()).toMatchObject({ dialect: name, role, protocolViolations: 0 });
    await engine.close();
  });
});
