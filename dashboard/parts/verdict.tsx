/** Is anything wrong? Where? Since when? In words, the worst first. */
import type { Level, Problem, Verdict } from "../../src/control/admin/dashboard/messages.ts";
import { pointAt } from "../model/points.ts";
import type { PageState } from "../model/state.ts";
import { ageText, countText, durationText, numberText } from "../model/words.ts";

const glyphs: Readonly<Record<Level, string>> = { good: "●", note: "◆", warn: "▲", bad: "■" };
const words: Readonly<Record<Level, string>> = {
  good: "good",
  note: "note",
  warn: "warning",
  bad: "failure",
};
/** Further ones are counted. */
const problemsShown = 6;

export function VerdictLine({
  state,
  nowMs,
}: {
  readonly state: PageState;
  readonly nowMs: number;
}) {
  const { verdict, connection } = state;
  if (connection === "lost") {
    return (
      <section class="verdict bad" aria-label="Verdict">
        <h1 aria-live="assertive">
          <Glyph level="bad" /> No connection to the proxy
        </h1>
        <p class="sub">What is below is what it said last. Trying again…</p>
      </section>
    );
  }
  if (verdict === undefined) {
    return (
      <section class="verdict" aria-label="Verdict">
        <h1>Connecting…</h1>
      </section>
    );
  }
  return (
    <section class={`verdict ${verdict.level}`} aria-label="Verdict">
      <h1 aria-live="polite">
        <Glyph level={verdict.level} /> {verdict.headline}
      </h1>
      <p class="sub">
        <Since verdict={verdict} nowMs={nowMs} />
        {summary(state)}
      </p>
      <Problems verdict={verdict} nowMs={nowMs} />
    </section>
  );
}

export function Glyph({ level }: { readonly level: Level }) {
  return (
    <span class={`glyph ${level}`} role="img" aria-label={words[level]}>
      {glyphs[level]}
    </span>
  );
}

function Since({
  verdict: { sinceMs },
  nowMs,
}: {
  readonly verdict: Verdict;
  readonly nowMs: number;
}) {
  return sinceMs === undefined ? null : <b>for {ageText(nowMs - sinceMs)} · </b>;
}

/** "4 prefill and 4 decode engines · 12 requests/s · first token after 310 ms · 3 wait". */
function summary({ fleet, points }: PageState): string {
  if (fleet === undefined) return "";
  const roles = new Map<string, number>();
  for (const { role, engines } of fleet.pools) {
    roles.set(role, (roles.get(role) ?? 0) + engines.length);
  }
  const engines = [...roles]
    .map(([role, count]) => (role === "serve" ? countText(count, "engine") : `${count} ${role}`))
    .join(", ");
  const last = points.at(-1);
  const rate = pointAt(last, "requests");
  const first = pointAt(last, "firstToken50");
  const waiting = pointAt(last, "waiting") ?? 0;
  return [
    engines,
    ...(rate === null ? [] : [`${numberText(Math.round(rate * 10) / 10)} requests/s`]),
    ...(first === null ? [] : [`first token after ${durationText(first)}`]),
    ...(waiting > 0 ? [`${numberText(waiting)} waiting`] : []),
  ].join(" · ");
}

function Problems({
  verdict: { problems, level },
  nowMs,
}: {
  readonly verdict: Verdict;
  readonly nowMs: number;
}) {
  // A headline that is a problem says the first one already.
  const others = level === "good" ? problems : problems.slice(1);
  const hint = level === "good" ? undefined : problems[0]?.hint;
  return (
    <>
      {hint !== undefined && <p class="hint">{hint}</p>}
      {others.length > 0 && (
        <ul class="problems">
          {others.slice(0, problemsShown).map((problem) => (
            <li key={problem.text}>
              <Glyph level={problem.level} /> <ProblemText problem={problem} nowMs={nowMs} />
            </li>
          ))}
          {others.length > problemsShown && <li>and {others.length - problemsShown} more</li>}
        </ul>
      )}
    </>
  );
}

function ProblemText({
  problem: { text, why, sinceMs },
  nowMs,
}: {
  readonly problem: Problem;
  readonly nowMs: number;
}) {
  return (
    <>
      {text}
      {why !== undefined && `: ${why}`}
      {sinceMs !== undefined && <span class="quiet"> · for {ageText(nowMs - sinceMs)}</span>}
    </>
  );
}
