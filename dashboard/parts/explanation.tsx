/** One request in full: where its time went, and why its engines were chosen. */
import { useEffect, useState } from "preact/hooks";
import type {
  Decision,
  EngineSnapshot,
  PlacementSnapshot,
} from "../../src/pool/engine-snapshot.ts";
import type { RequestRecord } from "../../src/proxy/context/explained/request-record.ts";
import { ask } from "../connection/stream.ts";
import { decisionText, scoreText, whyNot } from "../model/decision.ts";
import { mainCause } from "../model/waterfall.ts";
import { durationText, numberText } from "../model/words.ts";
import { Lanes } from "./waterfall.tsx";

type ShownDecision = Omit<Decision, "poolSize"> & { readonly untold?: number };

interface Explained extends RequestRecord {
  readonly decisions: readonly ShownDecision[];
}

export function Explanation({ request }: { readonly request: RequestRecord }) {
  const [explained, setExplained] = useState<Explained | string | undefined>(undefined);
  const { requestId, path, outcome, status, message, tokens, firstByteMs, endMs } = request;
  useEffect(() => {
    void ask<Explained>(`/admin/explain/${encodeURIComponent(requestId)}`).then(
      setExplained,
      (error: Error) => setExplained(error.message),
    );
  }, [requestId]);
  const cause = mainCause(request);
  const cached = tokens.cached > 0 ? `, ${numberText(tokens.cached)} of the prompt cached` : "";
  return (
    <div class="explanation">
      <p class="facts">
        <code>{requestId}</code> · {path} · {outcome} {status || ""}
        {firstByteMs >= 0 && ` · first byte after ${durationText(firstByteMs)}`} ·{" "}
        {durationText(endMs)} in all{cached}
      </p>
      {message !== "" && <p class="told">{message}</p>}
      {cause !== "" && <p class="cause">{cause}</p>}
      <Lanes request={request} />
      {typeof explained === "string" && <p class="empty">{explained}</p>}
      {typeof explained === "object" &&
        explained.decisions.map((decision, index) => (
          <DecisionView key={String(index)} decision={decision} />
        ))}
    </div>
  );
}

function DecisionView({ decision }: { readonly decision: ShownDecision }) {
  const { leg, engines, chosen, untold = 0 } = decision;
  const isPlacement = engines.some((engine) => "uncachedTokens" in engine);
  return (
    <div class="decision">
      <h3>
        <span class={`tag ${leg}`}>{leg}</span> {decisionText(decision)}
      </h3>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">engine</th>
              {(isPlacement
                ? ["wait", "uncached", "prefill", "score"]
                : ["in flight", "score"]
              ).map((title) => (
                <th key={title} scope="col" class="number">
                  {title}
                </th>
              ))}
              <th scope="col">why</th>
            </tr>
          </thead>
          <tbody>
            {engines.map((engine) => (
              <tr key={engine.engine} class={engine.engine === chosen ? "chosen" : ""}>
                <th scope="row">{engine.engine}</th>
                {cellsOf(engine).map((text, index) => (
                  <td key={String(index)} class="number">
                    {text}
                  </td>
                ))}
                <td>{whyNot(engine, decision)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {untold > 0 && <p class="quiet">and {untold} more engines of the pool</p>}
    </div>
  );
}

function cellsOf(engine: EngineSnapshot | PlacementSnapshot): string[] {
  if ("uncachedTokens" in engine) {
    const { waitMs, uncachedTokens, prefillMs, score } = engine;
    return [
      durationText(waitMs),
      `${numberText(Math.round(uncachedTokens))} tok`,
      durationText(prefillMs),
      scoreText(score),
    ];
  }
  return [numberText(engine.inFlight), engine.score === undefined ? "–" : scoreText(engine.score)];
}
