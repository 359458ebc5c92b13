/** Whoever gets past these checks reads what clients do, or controls engines. */

import { describe, expect, it, test } from "vitest";
import { type AdminConfig, adminSchema } from "../../../src/config/schema/admin.ts";
import { AdminAccess, readAccess } from "../../../src/control/admin/access.ts";

const refusal = (access: AdminAccess, host: string | undefined, authorization?: string) =>
  access.refusal({ host, authorization })?.code;

describe("the host", () => {
  const access = new AdminAccess(undefined, ["admin.example", "LocalHost"]);
  it.each([
    "127.0.0.1:9901",
    "127.0.0.1",
    "[::1]:9901",
    "localhost:9901",
    "LOCALHOST",
    "localhost.:1",
    "admin.example:9901",
    undefined,
  ])("%s is the listener's own", (host) => {
    expect(refusal(access, host)).toBeUndefined();
  });

  it.each([
    "evil.example",
    "evil.example:9901",
    "127.0.0.1.evil.example",
    "localhost.evil.example:9901",
    "admin.example.evil",
    "localhost@evil.example",
    "[::1",
    "",
  ])("%s is a name that a browser was led here by", (host) => {
    expect(refusal(access, host)).toBe("unknown_host");
  });
});

describe("with a token", () => {
  const access = new AdminAccess("s3cret-token", ["localhost"]);
  it.each(["Bearer s3cret-token", "bearer  s3cret-token"])("%s is let in", (given) => {
    expect(refusal(access, "localhost", given)).toBeUndefined();
    expect(access.mayChange).toBe(true);
  });

  it.each([
    undefined,
    "",
    "Bearer",
    "Bearer ",
    "Bearer s3cret-toke",
    "Bearer s3cret-token2",
    "Bearer S3CRET-TOKEN",
    "Bearer s3cret-token x",
    "Basic s3cret-token",
    "s3cret-token",
  ])("%s is not", (given) => {
    expect(refusal(access, "localhost", given)).toBe("unauthorized");
  });

  it("the host is checked first: a token must not be tried out by a page in a browser", () => {
    expect(refusal(access, "evil.example", "Bearer s3cret-token")).toBe("unknown_host");
  });
});

test.each([
  ["cross-site", "no-cors", "another_site"],
  ["cross-site", "cors", "another_site"],
  ["same-site", "cors", "another_site"],
  ["cross-site", "navigate", undefined],
  ["same-origin", "cors", undefined],
  ["none", "navigate", undefined],
  [undefined, undefined, undefined],
])("a page of %s in mode %s cannot take all streams", (fetchSite, fetchMode, code) => {
  const access = new AdminAccess(undefined, []);
  const request = { host: "127.0.0.1:9901", authorization: undefined, isOpen: true };
  expect(access.refusal({ ...request, fetchSite, fetchMode })?.code).toBe(code);
});

test("without a token nobody may change anything", () => {
  expect(new AdminAccess(undefined, []).mayChange).toBe(false);
});

describe("the token's place", () => {
  const of = (token: AdminConfig["token"]) => readAccess(adminSchema.parse({ port: 1, token }));
  const name = "GLOBAL_PROXY_TEST_TOKEN";

  it("an environment variable", () => {
    process.env[name] = " of-the-environment\n";
    expect(refusal(of({ env: name }), "localhost", "Bearer of-the-environment")).toBeUndefined();
  });

  it.each(["", "  \n", "two words", "ü", "x".repeat(5_000)])(
    "a token of %j is an error",
    (text) => {
      process.env[name] = text;
      expect(() => of({ env: name })).toThrow(
        `the admin token in the environment variable ${name}`,
      );
    },
  );

  it("a variable or file that is not there is an error", () => {
    delete process.env[name];
    expect(() => of({ env: name })).toThrow("is empty");
    expect(() => of({ file: "/nowhere/token" })).toThrow("/nowhere/token");
  });
});

test("what is open is given without the token, and never to a page that another name has led here", () => {
  const access = new AdminAccess("s3cret-token", ["localhost"]);
  const asked = { authorization: undefined, isOpen: true };
  expect(access.refusal({ ...asked, host: "localhost" })).toBeUndefined();
  expect(access.refusal({ ...asked, host: "evil.example" })?.code).toBe("unknown_host");
});
