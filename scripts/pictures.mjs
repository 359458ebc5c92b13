/**
 * Writes the pictures of docs/policies.md: plots of `global-proxy simulate --report`, each as an SVG that stands alone.
 * Run by `npm run pictures` after a change of a policy, of the lab or of the report.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const fleet = ["--prefill", "4", "--decode", "4"];

/** Each: its file, the title of the plot in the report, and what `simulate` is run with. */
const pictures = [
  {
    file: "policies-lengths.svg",
    plot: "TTFT by length of the prompt",
    args: [
      ...["--synthetic", "poisson:3,chats=0,requests=4000,burst=2", ...fleet],
      ...["--policies", "round_robin,least_conn,least_bytes,predictive"],
    ],
  },
  {
    file: "policies-chats.svg",
    plot: "Goodput",
    args: [
      ...["--synthetic", "poisson:3,chats=0.7,requests=4000", ...fleet, "--goodput"],
      ...["--policies", "round_robin,least_conn,least_bytes,cache_aware,dynamo,llm_d,predictive"],
    ],
  },
];

const root = fileURLToPath(new URL("..", import.meta.url));
const margin = 16;
const plotWidth = 560;
const width = plotWidth + 2 * margin;
const lineHeight = 18;
/** Of a letter of 13 px, about. */
const letterWidth = 6.6;

function report(args) {
  const folder = mkdtempSync(join(tmpdir(), "pictures-"));
  const file = join(folder, "report.html");
  const { status, stderr } = spawnSync(
    join(root, "bin/global-proxy"),
    ["simulate", ...args, "--report", file],
    { encoding: "utf8", stdio: ["ignore", "inherit", "pipe"] },
  );
  if (status !== 0) throw new Error(`simulate ${args.join(" ")} failed: ${stderr}`);
  const html = readFileSync(file, "utf8");
  rmSync(folder, { recursive: true });
  return html;
}

/** The first match's first group, which is there: the report is this project's own. */
function found(pattern, text) {
  const group = pattern.exec(text)?.[1];
  if (group === undefined) throw new Error(`the report has no ${pattern}`);
  return group;
}

/** Of the report's rules those that a plot needs. A rule may have rules inside, and several lines. */
function plotStyle(html) {
  const rules = found(/<style>(.*?)<\/style>/s, html).match(
    /[^{}]+\{(?:[^{}]*|[^{}]*\{[^{}]*\}[^{}]*)\}/g,
  );
  const wanted =
    /^(:root|@media|\.tick|\.title|\.name|\.grid|\.axis|\.line|\.dashed|\.mark|\.bar|\.pale|\.c\d+\{)/;
  return rules
    .map((rule) => rule.replaceAll("\n", "").trim())
    .filter((rule) => wanted.test(rule) && !rule.includes("hover"))
    .join("\n");
}

/** Breaks a text into lines that fit. */
function lines(text) {
  const most = Math.floor(plotWidth / letterWidth);
  const broken = [""];
  for (const word of text.split(" ")) {
    const line = broken[broken.length - 1];
    if (line === "") broken[broken.length - 1] = word;
    else if (line.length + 1 + word.length <= most) broken[broken.length - 1] = `${line} ${word}`;
    else broken.push(word);
  }
  return broken;
}

/** Which line is which policy; bars have their names beside them. */
function legend(names, y) {
  let x = margin;
  return names
    .map((name, index) => {
      const line = `<path class="line c${index}" d="M${x} ${y - 4}h22"/>`;
      const item = `${line}<text class="name" x="${x + 28}" y="${y}">${name}</text>`;
      x += 44 + name.length * letterWidth;
      return item;
    })
    .join("\n");
}

function draw({ plot, args }) {
  const html = report(args);
  const figure = found(new RegExp(`(<figure><h3>${plot}</h3>.*?</figure>)`, "s"), html);
  const names = [...html.matchAll(/<li class="c\d+"><svg.*?<\/svg>(.*?)<\/li>/g)].map(
    ([, name]) => name,
  );
  const isLines = figure.includes('class="line');
  const texts = lines(found(/<p>(.*?)<\/p>/s, figure));
  const top = 48 + texts.length * lineHeight + (isLines ? 22 : 0);
  const textLines = texts.map(
    (text, index) =>
      `<text class="text" x="${margin}" y="${50 + index * lineHeight}">${text}</text>`,
  );
  const plotHeight = Number(found(/viewBox="0 0 560 ([\d.]+)"/, figure));
  const inner = found(/<svg[^>]*>(.*)<\/svg>/s, figure).replaceAll(/<title>.*?<\/title>/g, "");
  const height = top + plotHeight + 8;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${plot}">
<desc>Made by \`npm run pictures\`: global-proxy simulate ${args.join(" ")} --report</desc>
<style>
${plotStyle(html)}
svg{font:11px system-ui,-apple-system,"Segoe UI",sans-serif}.head{font-size:15px;font-weight:600;fill:var(--ink)}
.text{font-size:13px;fill:var(--quiet)}.panel{fill:var(--panel);stroke:var(--rule)}
</style>
<rect class="panel" x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8"/>
<text class="head" x="${margin}" y="30">${plot}</text>
${textLines.join("\n")}
${isLines ? legend(names, top - 8) : ""}
<g transform="translate(${margin} ${top})">${inner}</g>
</svg>
`;
}

for (const picture of pictures) {
  writeFileSync(join(root, "docs/img", picture.file), draw(picture));
}
