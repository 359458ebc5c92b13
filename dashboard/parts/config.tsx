/** The configuration in force, without its secrets, to read and to search. */
import { useState } from "preact/hooks";
import { ask } from "../connection/stream.ts";
import { type ConfigLine, configLines } from "../model/config-text.ts";

export function ConfigViewer() {
  const [lines, setLines] = useState<readonly ConfigLine[] | string | undefined>(undefined);
  const [search, setSearch] = useState("");
  const load = (isOpen: boolean) => {
    if (!isOpen) return;
    void ask<object>("/admin/config").then(
      (config) => setLines(configLines(config)),
      (error: Error) => setLines(error.message),
    );
  };
  return (
    <section class="card" aria-labelledby="config-title">
      <details onToggle={(event) => load(event.currentTarget.open)}>
        <summary>
          <h2 id="config-title">Configuration</h2>
          <span class="quiet">in force, with all defaults; secrets are ***</span>
        </summary>
        {typeof lines === "string" && <p class="empty">{lines}</p>}
        {typeof lines === "object" && (
          <>
            <label class="search">
              Search{" "}
              <input
                type="search"
                value={search}
                onInput={(event) => setSearch(event.currentTarget.value)}
              />
            </label>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and so it must be reached by the keyboard. */}
            <pre class="config" tabIndex={0}>
              {lines.map((line, index) => (
                <Line key={String(index)} line={line} search={search} />
              ))}
            </pre>
          </>
        )}
      </details>
    </section>
  );
}

function Line({
  line: { indent, key, value },
  search,
}: {
  readonly line: ConfigLine;
  readonly search: string;
}) {
  const text = `${key} ${value}`.toLowerCase();
  const isHit = search !== "" && text.includes(search.toLowerCase());
  const isMiss = search !== "" && !isHit;
  return (
    <span class={isHit ? "hit" : isMiss ? "miss" : ""}>
      {"  ".repeat(indent)}
      <b>{key}</b> {value}
      {"\n"}
    </span>
  );
}
