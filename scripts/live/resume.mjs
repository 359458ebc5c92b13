/** A decode engine is killed within streams: with `--resume` each goes on at the other, and is what one engine says. */
import { setTimeout as sleep } from "node:timers/promises";
import { forms, modelName } from "./fleet.mjs";

const streams = 8;

const body = (index, stream) => ({
  model: modelName,
  prompt: `Stream ${index}: ${"the token that follows the last one ".repeat(4)}`,
  max_tokens: 300,
  ignore_eos: true,
  temperature: 0,
  stream,
});

async function post(url, index, stream) {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body(index, stream)),
  });
  return response.text();
}

async function textOf(url, index) {
  const said = await post(url, index, true).catch((error) => String(error.cause ?? error));
  const events = said.split("\n\n").filter((line) => line.startsWith("data: {"));
  const text = events.map((line) => JSON.parse(line.slice(6)).choices?.[0]?.text ?? "").join("");
  return { text, isWhole: said.includes("data: [DONE]") };
}

/** How many requests the proxy has there. */
async function requestsAt(proxy, { url }) {
  const { pools } = await (await fetch(`${proxy.admin}/admin/engines`)).json();
  const engines = pools.flatMap(({ engines: ones }) => ones);
  return engines.find(({ engine }) => engine === new URL(url).host)?.inFlight ?? 0;
}

export async function resume({ form, fleet, judge, engines, startProxy, say, folder }) {
  const [prefill, victim] = engines;
  say("  starting a second decode engine …");
  const other = await fleet.engine(`${form}-decode-2`, forms[form].connector("decode", folder));
  const proxy = await startProxy(["--resume"], [prefill, victim, other]);
  const expected = [];
  for (let i = 0; i < streams; i += 1)
    expected.push(JSON.parse(await post(judge.url, i, false)).choices[0].text);
  const running = expected.map((_, i) => textOf(proxy.url, i));
  let under = 0;
  for (let i = 0; i < 600 && under === 0; i += 1) {
    await sleep(100);
    under = await requestsAt(proxy, victim);
  }
  await sleep(1_500);
  under = await requestsAt(proxy, victim);
  await fleet.end(victim.child, "SIGKILL");
  const got = await Promise.all(running);
  const right = got.filter(({ text, isWhole }, i) => isWhole && text === expected[i]).length;
  const whole = got.filter(({ isWhole }) => isWhole).length;
  say(
    `  one of two decode engines killed under ${under} of ${streams} streams: ${whole} whole, ${right} as one engine says`,
  );
  return right === streams && under > 0;
}
