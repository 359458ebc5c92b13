/** The dashboard in a browser: what it says of a real fleet, for eyes, keyboards and screen readers alike. */
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Fleet, Load, Messages } from "../../src/control/admin/dashboard/messages.ts";
import type { PageFiles } from "../../src/control/admin/dashboard/page-files.ts";
import { adminOf } from "../support/admin.ts";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { hasProgram } from "../support/needs.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { oneRuntime } from "../support/runtimes.ts";
import { type Engine, Stack } from "../support/stack.ts";

const token = "s3cret-of-the-operator";
const axeFile = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const phone = { width: 390, height: 844 };
const desk = { width: 1_360, height: 900 };

describe.skipIf(!hasProgram("chromium"))("in a browser", () => {
  let browser: Browser;
  beforeAll(async () => {
    const executablePath = ["/usr/bin/chromium", "/usr/local/bin/chromium"].find(existsSync)!;
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  });
  afterAll(() => browser?.close());

  /** A page in which nothing is said that no test expects. */
  async function open(url: string, colorScheme: "light" | "dark" = "light") {
    // Axe is no part of the page.
    const context = await browser.newContext({ viewport: desk, colorScheme, bypassCSP: true });
    const page = await context.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(url);
    return { page, errors };
  }

  describe.each(oneRuntime("dashboard"))("on %s", (runtime) => {
    const stack = new Stack(runtime, { ownProcesses: true });
    let decodes: Engine[];
    let proxy: string;
    let admin: string;
    let page: Page;
    let errors: string[];

    const send = (id: string) =>
      post(
        `${proxy}/v1/completions`,
        { model: "simulated", prompt: "Hello ".repeat(50), max_tokens: 4, stream: true },
        { headers: { "x-request-id": id } },
      );

    beforeAll(async () => {
      const prefills = await stack.startEngines("prefill", 2);
      decodes = await stack.startEngines("decode", 3);
      const file = stack.write("token", token);
      const top = `admin: { port: 0, token: { file: ${file} } }\nerrorLog: { level: notice }`;
      const serving = await stack.serve((port) =>
        pdYaml({ port, prefill: { engines: prefills }, decode: { engines: decodes }, top }),
      );
      proxy = serving.url;
      admin = await adminOf(serving);
      ({ page, errors } = await open(admin));
    });
    afterAll(() => stack.end());

    const headline = () => page.locator("h1").innerText();

    test("the page has no data without the token, which clients' listeners never ask for", async () => {
      const headers = { authorization: `Bearer ${token}` };
      expect((await ask(`${admin}/`)).status).toBe(200);
      expect((await ask(`${admin}/admin/stream`)).status).toBe(401);
      expect((await ask(`${proxy}/`, { headers })).status).toBe(404);
      expect((await ask(`${proxy}/admin/stream`, { headers })).status).toBe(404);
      expect((await ask(`${admin}/`, { headers: { host: "evil.example" } })).status).toBe(403);
      const { headers: sent } = await fetch(`${admin}/`);
      expect(sent.get("content-security-policy")).toMatch(
        /^default-src 'none'; script-src 'self';/,
      );
      await page.getByLabel("Token of the admin listener").fill("wrong");
      await page.keyboard.press("Enter");
      await page.getByText("This is not the token").waitFor();
      await page.getByLabel("Token of the admin listener").fill(token);
      await page.keyboard.press("Enter");
      await page.getByText("All 5 engines healthy").waitFor();
    });

    test("a request appears by itself, and says where its time went and why its engines", async () => {
      expect((await send("look-at-me")).status).toBe(200);
      const row = page.getByRole("button", { name: /^Request look-at-me: well/ });
      await row.focus();
      await page.keyboard.press("Enter");
      const explanation = page.locator(".explanation");
      await explanation
        .getByText(/was chosen/)
        .first()
        .waitFor();
      const lanes = await explanation.locator(".lane-label").allInnerTexts();
      expect(lanes.map((lane) => lane.split(" at ")[0])).toEqual(
        expect.arrayContaining(["prefill", "KV transfer, and decode's first step", "decode"]),
      );
      expect(await explanation.locator("tr.chosen").count()).toBe(2);
      expect(await row.getAttribute("aria-expanded")).toBe("true");
    });

    test("arrows lead from engine to engine, and Enter shows all that is known of one", async () => {
      const engines = page.locator(".engine");
      await engines.first().focus();
      await page.keyboard.press("ArrowDown");
      const focused = () =>
        page.evaluate(() => document.activeElement?.querySelector(".hidden")?.textContent);
      const second = await engines.nth(1).locator(".name").textContent();
      // What follows says for how long, which goes on between two looks.
      expect((await focused())?.split(",")[0]).toBe(`prefill ${second}`);
      await page.keyboard.press("ArrowRight");
      expect(await focused()).toMatch(/^decode .*, healthy for .*, 0 requests in flight/);
      await page.keyboard.press("Enter");
      await page.locator(".detail").getByText("named by").waitFor();
      await page.getByRole("button", { name: "Close" }).click();
    });

    test("the configuration is read on the page, without its secrets", async () => {
      await page.getByText("Configuration", { exact: true }).click();
      await page.locator(".config").getByText("explainedRequestsMax:").waitFor();
      expect(await page.locator(".config").innerText()).not.toContain(token);
    });

    test.each(["light", "dark"] as const)(
      "what is %s can be read by all, by axe's rules",
      async (colorScheme) => {
        await page.emulateMedia({ colorScheme });
        await page.addScriptTag({ path: axeFile });
        const found = await page.evaluate(async () => {
          const { axe } = globalThis as unknown as {
            axe: { run(): Promise<{ violations: Found[] }> };
          };
          const { violations } = await axe.run();
          return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
        });
        expect(found).toEqual([]);
      },
    );

    test("nothing is wider than a phone", async () => {
      await page.setViewportSize(phone);
      await page.locator(".engine").first().waitFor();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(phone.width);
      await page.setViewportSize(desk);
    });

    test("an engine that is killed is named, with why and since when, and what it broke", async () => {
      await decodes[0]!.kill();
      await eventually(async () => {
        await send("after the kill");
        return /decode 127\.0\.0\.1:\d+ (is ejected|fails): \d+ connection error/.test(
          await headline(),
        );
      });
      await page
        .getByText(/^for \d+ s/)
        .first()
        .waitFor();
      await page
        .locator(".changes")
        .getByText(/was ejected|is degraded/)
        .first()
        .waitFor();
      expect(errors).toEqual([]);
    });
  });

  describe("of a fleet that is told", () => {
    const files = JSON.parse(readFileSync("dist/dashboard.json", "utf8")) as PageFiles;
    let server: Server;
    let url: string;
    let messages: Partial<Messages> = {};
    let tell: (more: Partial<Messages>) => void = () => {};
    const eventsOf = (told: Partial<Messages>) =>
      Object.entries(told)
        .map(([name, message]) => `event: ${name}\ndata: ${JSON.stringify(message)}\n\n`)
        .join("");

    beforeAll(async () => {
      server = createServer(({ url: path = "" }, response) => {
        const file = files[path];
        response.writeHead(200, { "content-type": file?.contentType ?? "text/event-stream" });
        if (file !== undefined) response.end(file.text);
        else {
          response.write(eventsOf(messages));
          tell = (more) => void response.write(eventsOf(more));
        }
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    });
    afterAll(() => {
      server.closeAllConnections();
      server.close();
    });

    function fleetOf(count: number): Fleet {
      const engines = (pool: string) =>
        Array.from({ length: count }, (_, i) => ({
          ...({ engine: `${pool}-${i}.example:8000`, state: "healthy", weight: 1 } as const),
          ...({ cache: "blind", sources: ["configuration"], sinceMs: 0 } as const),
        }));
      const poolOf = (role: "prefill" | "decode") => {
        const policy = { policy: "random", policySummary: "", hasQueue: false };
        return { pool: role, role, ...policy, engines: engines(role) };
      };
      return {
        ...{ version: "1", runtime: "Node", startedMs: 0, isDraining: false },
        ...{ workers: { alive: 1, configured: 1 }, countsRequests: true, keepsRequests: true },
        ...{ pools: [poolOf("prefill"), poolOf("decode")], links: [[0, 1]] },
      };
    }

    const loadOf = (count: number, inFlight: number): Load => {
      const engines = Array.from({ length: count }, () => [inFlight, 0, 0, 0, -1, -1, 1, 1, 1]);
      return { atMs: Date.now(), waiting: [null, null], engines: [engines, engines] };
    };

    test("200 engines are cells, each named, and a look changes these and makes none anew", async () => {
      messages = { fleet: fleetOf(100), load: loadOf(100, 1) };
      const { page, errors } = await open(url, "dark");
      await page.locator(".cell-mark").first().waitFor();
      expect(await page.locator(".cell-mark").count()).toBe(200);
      const last = page.locator(".cell-mark").last();
      const kept = await last.elementHandle();
      tell({ load: loadOf(100, 7) });
      await page
        .getByRole("button", { name: /^decode decode-99.*, 7 requests in flight/ })
        .waitFor();
      expect(await last.evaluate((now, before) => now === before, kept)).toBe(true);
      // So that a look is quick on a phone, too.
      expect(await page.evaluate(() => document.querySelectorAll("*").length)).toBeLessThan(1_500);
      await page.setViewportSize(phone);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(phone.width);
      expect(errors).toEqual([]);
      await page.context().close();
    });

    test("an empty fleet is said to be empty", async () => {
      const headline = "There are no engines";
      messages = {
        fleet: fleetOf(0),
        load: loadOf(0, 0),
        verdict: { level: "bad", headline, problems: [] },
      };
      const { page, errors } = await open(url);
      await page.getByText(headline).waitFor();
      expect(await page.getByText("no engines", { exact: true }).count()).toBe(2);
      expect(errors).toEqual([]);
      await page.context().close();
    });
  });
});

interface Found {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}
