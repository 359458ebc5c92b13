/** What has happened lately, the newest first. */
import type { PageState } from "../model/state.ts";
import { ageText, clockText } from "../model/words.ts";
import { Glyph } from "./verdict.tsx";

const shownMax = 12;

export function Changes({ state, nowMs }: { readonly state: PageState; readonly nowMs: number }) {
  const { changes = [] } = state;
  return (
    <section class="card" aria-labelledby="changes-title">
      <h2 id="changes-title">What has happened</h2>
      {changes.length === 0 ? (
        <p class="empty">Nothing since this process has started.</p>
      ) : (
        <ol class="changes">
          {changes.slice(0, shownMax).map(({ atMs, level, text, why }) => (
            <li key={`${atMs} ${text}`}>
              <time dateTime={new Date(atMs).toISOString()} title={clockText(atMs)}>
                {ageText(nowMs - atMs)} ago
              </time>
              <Glyph level={level} />
              <span>
                {text}
                {why !== undefined && <span class="quiet">: {why}</span>}
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
