/** Operators control engines through the admin listener, with a token; nobody else does. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminOf } from "../support/admin.ts";
import { eventually } from "../support/eventually.ts";
import { ask } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, type ServingProxy, Stack } from "../support/stack.ts";

describe.each(bunAndOneNode("admin-token"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let prefills: Engine[];
  let decodes: Engine[];
  let proxy: ServingProxy;
  let admin: string;

  beforeAll(async () => {
    prefills = await stack.startEngines("prefill", 2);
    decodes = await stack.startEngines("decode", 1);
    const tokenFile = stack.write("token", "first-token\n");
    proxy = await stack.serve((port) =>
      pdYaml({
        port,
        top: `admin: { port: 0, token: { file: ${tokenFile} } }\nerrorLog: { level: notice }`,
        prefill: { engines: prefills },
        decode: { engines: decodes },
      }),
    );
    admin = await adminOf(proxy);
  });
  afterAll(() => stack.end());

  const withToken = (token: string) => ({ authorization: `Bearer ${token}` });
  const broadcast = (body: object, token = "first-token") =>
    ask(`${admin}/admin/engines/broadcast`, {
      method: "POST",
      headers: withToken(token),
      body: JSON.stringify(body),
    });

  test("every page needs the token, and a name of its own", async () => {
    for (const page of ["/admin/health", "/admin/engines", "/admin/metrics", "/admin/none"]) {
      const refused = await ask(admin + page);
      expect(refused.status).toBe(401);
      expect(refused.headers["www-authenticate"]).toBe("Bearer");
      expect(refused.body).not.toContain("127.0.0.1");
    }
    expect((await ask(`${admin}/admin/health`, { headers: withToken("first-token") })).status).toBe(
      200,
    );
    const headers = { ...withToken("first-token"), host: "evil.example" };
    expect((await ask(`${admin}/admin/health`, { headers })).status).toBe(403);
  });

  test("the configuration in force can be read, and says where the token is, not what it is", async () => {
    const { status, body } = await ask(`${admin}/admin/config`, {
      headers: withToken("first-token"),
    });
    expect(status).toBe(200);
    expect(JSON.parse(body).admin.token.file).toContain("token");
    expect(body).not.toContain("first-token");
  });

  test("a broadcast reaches all engines of a pool, once each, and tells what each said", async () => {
    const before = await Promise.all(prefills.map((engine) => engine.requests()));
    const got = await broadcast({ pool: "prefill", method: "GET", path: "/health?all" });
    expect(got.status).toBe(200);
    const { ok, engines } = JSON.parse(got.body);
    expect(ok).toBe(true);
    expect(
      engines.map(({ engine, status }: { engine: string; status: number }) => [engine, status]),
    ).toEqual(prefills.map(({ port }) => [`127.0.0.1:${port}`, 200]));
    const after = await Promise.all(prefills.map((engine) => engine.requests()));
    expect(after.map((all) => all.length)).toEqual(before.map((all) => all.length + 1));
  });

  test("an engine that refuses is told of, and the whole is no success", async () => {
    const body = { nothing: [1] };
    const got = await broadcast({ pool: "decode", path: "/no/such/path", body });
    expect(got.status).toBe(502);
    expect(JSON.parse(got.body)).toMatchObject({
      ok: false,
      pool: "decode",
      engines: [{ status: 404, body: { detail: "Not Found" } }],
    });
    const requests = await decodes[0]!.requests();
    expect(requests.at(-1)).toMatchObject({ method: "POST", path: "/no/such/path" });
  });

  test.each([
    [{ pool: "prefil", path: "/x" }, 404, "prefill"],
    [{ pool: "prefill", path: "x" }, 400, "path"],
    [{ pool: "prefill", path: "/x\r\nA: b" }, 400, "path"],
    [{ pool: "prefill", path: "/x", headers: { "A b": "c" } }, 400, "headers"],
    [{ pool: "prefill", path: "/x", headers: { A: "c\r\nd: e" } }, 400, "headers"],
    [{ pool: "prefill", path: "/x", methd: "GET" }, 400, "methd"],
    [{ path: "/x" }, 400, "pool"],
  ])("%j is refused with %i", async (body, status, says) => {
    const got = await broadcast(body);
    expect([got.status, got.body]).toEqual([status, expect.stringContaining(says)]);
  });

  test("engines are added and removed in the shapes of other proxies", async () => {
    const send = async (method: string, path: string, body?: object) => {
      const asked = await ask(admin + path, {
        method,
        headers: withToken("first-token"),
        ...(body && { body: JSON.stringify(body) }),
      });
      return [asked.status, JSON.parse(asked.body)];
    };
    const more = { type: "decode", instances: ["127.0.0.1:1"] };
    expect(await send("POST", "/instances/add", more)).toMatchObject([
      200,
      { current_decode_instances: [`127.0.0.1:${decodes[0]!.port}`, "127.0.0.1:1"] },
    ]);
    const worker = { url: "http://127.0.0.1:2", worker_type: "prefill", bootstrap_port: 8998 };
    expect((await send("POST", "/workers", worker))[0]).toBe(202);
    await eventually(async () => {
      const [, { workers }] = await send("GET", "/workers");
      return workers.length === 5;
    });
    const [, config] = await send("GET", "/admin/pools/prefill/engines/127.0.0.1:2");
    expect(config.engines).toMatchObject([{ engine: "127.0.0.1:2", sources: ["admin"] }]);
    expect(await send("POST", "/instances/remove", more)).toMatchObject([
      200,
      { current_decode_instances: [`127.0.0.1:${decodes[0]!.port}`] },
    ]);
    const id = encodeURIComponent("http://127.0.0.1:2");
    // A path that is no URL encoding is that of no worker.
    expect((await send("DELETE", "/workers/%zz"))[0]).toBe(400);
    expect((await send("DELETE", `/workers/${id}`))[0]).toBe(202);
    await eventually(async () => {
      const [, { workers }] = await send("GET", "/workers");
      return workers.length === 3;
    });
    expect(await send("POST", `/remove_worker?url=${prefills[0]!.url}`)).toMatchObject([
      400,
      { error: { message: expect.stringContaining("named by configuration: drain it") } },
    ]);
    expect(await send("POST", "/workers", { url: "x:1" })).toMatchObject([
      400,
      { error: { message: expect.stringContaining("no pool has regular engines") } },
    ]);
    const path = `/admin/pools/decode/engines/127.0.0.1:${decodes[0]!.port}`;
    expect((await send("DELETE", path))[0]).toBe(409);
    expect((await send("DELETE", "/admin/pools/decod/engines/x"))[1].error.message).toContain(
      'did you mean "decode"?',
    );
    expect((await ask(`${admin}/workers`, { method: "POST", body: "{}" })).status).toBe(401);
  });

  test("what is too large is refused, and the listener lives on", async () => {
    const got = await broadcast({ pool: "prefill", path: "/x", body: "x".repeat(1_100_000) });
    expect(got.status).toBe(413);
    expect((await broadcast({ pool: "prefill", path: "/x" }, "wrong")).status).toBe(401);
  });

  test("a reload reads the token again", async () => {
    stack.write("token", "second-token");
    const before = proxy.command.stderr.length;
    proxy.command.signal("SIGHUP");
    await eventually(async () =>
      /configuration is in force/.test(proxy.command.stderr.slice(before)),
    );
    const status = async (token: string) =>
      (await ask(`${admin}/admin/health`, { headers: withToken(token) })).status;
    expect(await status("first-token")).toBe(401);
    expect(await status("second-token")).toBe(200);
  });
});
