/** Whether another policy would do better, as its shadow says. */
import { shadowText } from "../model/shadow.ts";
import type { PageState } from "../model/state.ts";
import { percentText } from "../model/words.ts";

export function Shadows({ state }: { readonly state: PageState }) {
  const { shadows = [] } = state;
  if (shadows.length === 0) return null;
  return (
    <section class="card" aria-labelledby="shadows-title">
      <h2 id="shadows-title">Would another policy do better?</h2>
      {shadows.map((report) => (
        <div key={report.pool} class="shadow">
          <p>
            Pool {report.pool}: {shadowText(report)}
          </p>
          <dl class="pair">
            <Pair label="of prompts cached" values={report.cachedShare} {...report} />
            <Pair
              label="of the prefill work"
              values={{
                real: 1,
                shadow:
                  report.prefillMs.real > 0 ? report.prefillMs.shadow / report.prefillMs.real : 1,
              }}
              {...report}
            />
          </dl>
        </div>
      ))}
    </section>
  );
}

interface PairProps {
  readonly label: string;
  readonly values: { readonly real: number; readonly shadow: number };
  readonly policy: string;
  readonly shadow: string;
}

function Pair({ label, values, policy, shadow }: PairProps) {
  const most = Math.max(0.01, values.real, values.shadow);
  const rows = [
    { name: policy, value: values.real, kind: "real" },
    { name: shadow, value: values.shadow, kind: "other" },
  ];
  return (
    <>
      {rows.map(({ name, value, kind }) => (
        <div key={kind}>
          <dt>{name}</dt>
          <dd>
            <span class="bar wide">
              <i class={kind} style={{ width: `${(100 * value) / most}%` }} />
            </span>
            {percentText(value)} {label}
          </dd>
        </div>
      ))}
    </>
  );
}
