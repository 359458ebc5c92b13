/** One request as a bar: from its arrival to its last byte. */
import type { RequestRecord } from "../../src/proxy/context/explained/request-record.ts";
import { type Segment, segmentsOf } from "../model/waterfall.ts";
import { durationText } from "../model/words.ts";

interface WaterfallProps {
  readonly request: RequestRecord;
  /** What the whole width is. */
  readonly scaleMs: number;
}

export function Waterfall({ request, scaleMs }: WaterfallProps) {
  return (
    <span class="waterfall" aria-hidden="true">
      <i class="seg proxy" style={placed({ fromMs: 0, toMs: request.endMs }, scaleMs)} />
      {segmentsOf(request).map((segment) => (
        <i
          key={`${segment.kind} ${segment.fromMs}`}
          class={`seg ${segment.kind}`}
          style={placed(segment, scaleMs)}
        />
      ))}
    </span>
  );
}

/** Each segment in a line of its own, with what it is and how long it took. */
export function Lanes({ request }: { readonly request: RequestRecord }) {
  const { endMs } = request;
  return (
    <ol class="lanes">
      {segmentsOf(request).map((segment) => (
        <li key={`${segment.kind} ${segment.fromMs}`}>
          <span class="lane-label">{segment.label}</span>
          <span class="waterfall" aria-hidden="true">
            <i class={`seg ${segment.kind}`} style={placed(segment, Math.max(1, endMs))} />
          </span>
          <span class="ms">{durationText(segment.toMs - segment.fromMs)}</span>
        </li>
      ))}
    </ol>
  );
}

function placed({ fromMs, toMs }: Pick<Segment, "fromMs" | "toMs">, scaleMs: number) {
  const percent = (ms: number) => `${((100 * ms) / scaleMs).toFixed(2)}%`;
  return { left: percent(fromMs), width: percent(Math.max(0, toMs - fromMs)) };
}
