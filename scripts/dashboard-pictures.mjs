/**
 * Takes the pictures of docs/dashboard.md: the dashboard of a demo that has run for some minutes, in Debian's Chromium.
 * Run by `npm run pictures:dashboard` after a change of the page.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("..", import.meta.url));
const warmUpMs = Number(process.argv[2] ?? 180) * 1_000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const demo = spawn(`${root}bin/global-proxy`, ["demo"], { stdio: ["ignore", "pipe", "inherit"] });
demo.stdout.setEncoding("utf8");
let printed = "";
let url;
for await (const text of demo.stdout) {
  printed += text;
  url = /^Dashboard: (\S+)/m.exec(printed)?.[1];
  if (url !== undefined) break;
}
await sleep(warmUpMs);

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox"],
});

async function take(name, { width, height, colorScheme }, prepare = async () => {}) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  await page.goto(url);
  await page.locator(".row").first().waitFor();
  // Until there is a trail in the cards, too.
  await sleep(30_000);
  await prepare(page);
  await page.screenshot({ path: `${root}docs/img/${name}` });
  await page.close();
}

await take("dashboard.png", { width: 1_200, height: 765, colorScheme: "light" });
await take(
  "dashboard-request.png",
  { width: 1_200, height: 620, colorScheme: "dark" },
  async (page) => {
    await page.getByRole("button", { name: "Slowest first token" }).click();
    await page.locator(".row > button").first().click();
    await page.locator(".decision").last().waitFor();
    await page.locator("#requests").evaluate((element) => element.scrollIntoView());
    await page.mouse.move(0, 0);
  },
);
await take("dashboard-phone.png", { width: 390, height: 780, colorScheme: "dark" });

await browser.close();
demo.kill("SIGINT");
await once(demo, "exit");
