/** How requests end that do not end well, by kind, in the last minutes. */
import type { OutcomeCount } from "../../src/control/admin/dashboard/messages.ts";
import type { PageState } from "../model/state.ts";
import { ageText, numberText } from "../model/words.ts";

export function Outcomes({ state, nowMs }: { readonly state: PageState; readonly nowMs: number }) {
  const { outcomes = [] } = state;
  return (
    <section class="card" aria-labelledby="outcomes-title">
      <h2 id="outcomes-title">Failures</h2>
      {outcomes.length === 0 ? (
        <p class="empty">None, as far as this process knows.</p>
      ) : (
        <div class="scroll">
          <table class="outcomes">
            <thead>
              <tr>
                <th scope="col">outcome</th>
                <th scope="col" class="number">
                  1 min
                </th>
                <th scope="col" class="number">
                  15 min
                </th>
                <th scope="col" class="number">
                  in all
                </th>
                <th scope="col">by minute</th>
                <th scope="col">last</th>
              </tr>
            </thead>
            <tbody>
              {outcomes.map((one) => (
                <Outcome key={`${one.code} ${one.status}`} one={one} nowMs={nowMs} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Outcome({ one, nowMs }: { readonly one: OutcomeCount; readonly nowMs: number }) {
  const { code, status, message, fault, minutes, total, lastMs } = one;
  const most = Math.max(1, ...minutes);
  const sum = minutes.reduce((all, count) => all + count, 0);
  return (
    <tr class={fault === "client" ? "of-client" : "of-ours"}>
      <th scope="row" title={message}>
        <code>{code}</code> {status > 0 && status}
        <small>
          {message} {fault !== "none" && `Fault: ${fault}.`}
        </small>
      </th>
      <td class="number">{numberText(minutes.at(-1) ?? 0)}</td>
      <td class="number">{numberText(sum)}</td>
      <td class="number">{numberText(total)}</td>
      <td>
        <svg class="spark" viewBox={`0 0 ${minutes.length * 4} 16`} aria-hidden="true">
          {minutes.map((count, index) => {
            const height = count === 0 ? 0.5 : 1 + (15 * count) / most;
            return (
              <rect key={String(index)} x={index * 4} y={16 - height} width="3" height={height} />
            );
          })}
        </svg>
      </td>
      <td class="nowrap">{lastMs === undefined ? "before" : `${ageText(nowMs - lastMs)} ago`}</td>
    </tr>
  );
}
