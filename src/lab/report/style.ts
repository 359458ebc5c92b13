/** The report's style sheet. Light or dark as the reader's system is; it asks the network for nothing. */

/**
 * Colours that stay apart for colour-blind readers, as Okabe and Ito (2008) have them; more policies than these get
 * dashes.
 */
const light = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#b8860b",
  "#56b4e9",
  "#444444",
  "#8c510a",
];
const dark = [
  "#4aa8e0",
  "#ff8a3d",
  "#2fd3a2",
  "#e59cc6",
  "#e6b93c",
  "#8fd0f5",
  "#c8c8c8",
  "#c89060",
];

/** @param policies how many there are: each has a rule that fades the others while its name is pointed at */
export function styleSheet(policies: number): string {
  const names = Array.from({ length: policies }, (_, i) => i);
  const palette = (colors: readonly string[]) =>
    names.map((i) => `--c${i}:${colors[i % colors.length]}`).join(";");
  const classes = names.map((i) => {
    const dashes =
      i >= light.length ? `;stroke-dasharray:${8 - Math.min(6, i - light.length)} 3` : "";
    return `.c${i}{--own:var(--c${i})${dashes}}
main:has(.legend .c${i}:hover) :is(.line,.mark,.bar):not(.c${i}){opacity:.12}`;
  });
  return `:root{color-scheme:light dark;--back:#fff;--panel:#f7f8fa;--ink:#1c2024;--quiet:#667078;--rule:#dfe3e8;
--prefill:#0072b2;--decode:#009e73;${palette(light)}}
@media (prefers-color-scheme:dark){:root{--back:#14171a;--panel:#1b1f24;--ink:#e6e9ec;--quiet:#98a2ab;--rule:#30363d;
--prefill:#4aa8e0;--decode:#2fd3a2;${palette(dark)}}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1240px;margin:0 auto;padding:28px 24px 60px}
h1{font-size:26px;margin:0 0 4px}
h2{font-size:19px;margin:38px 0 10px}
h3{font-size:15px;margin:0}
p{margin:2px 0 10px;color:var(--quiet)}
figure p{font-size:13px;margin:0 0 8px}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(480px,100%),1fr));gap:18px}
figure{margin:0;padding:14px 16px 8px;background:var(--panel);border:1px solid var(--rule);
border-radius:8px;min-width:0}
svg{display:block;width:100%;height:auto;font:11px system-ui,-apple-system,"Segoe UI",sans-serif}
.tick{fill:var(--quiet)}.title{fill:var(--quiet);font-size:12px}.name{fill:var(--ink);font-size:12px}
.grid{stroke:var(--rule);fill:none}.axis{stroke:var(--quiet);fill:none}
.line{fill:none;stroke:var(--own);stroke-width:2;stroke-linejoin:round;transition:opacity .15s}
.dashed{stroke-width:1.2;stroke-dasharray:3 3}
.mark{fill:var(--own);transition:opacity .15s}
.bar{fill:var(--own);transition:opacity .15s}.pale{fill-opacity:.45}
.cold{fill:var(--rule);fill-opacity:.45}rect.prefill{fill:var(--prefill)}rect.decode{fill:var(--decode)}
.legend{position:sticky;top:0;z-index:1;display:flex;flex-wrap:wrap;gap:4px 18px;margin:18px 0 0;
padding:9px 0;list-style:none;background:var(--back);border-bottom:1px solid var(--rule);font-size:14px}
.legend li{display:flex;align-items:center;gap:7px;cursor:default}
.legend svg{width:22px;height:8px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th{color:var(--quiet);font-weight:500}
th:first-child,td:first-child{text-align:left}
.best{font-weight:650}
dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 16px;margin:12px 0 0;font-size:14px}
dt{color:var(--quiet)}dd{margin:0}
${classes.join("\n")}
`;
}
