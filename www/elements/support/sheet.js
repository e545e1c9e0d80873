/**
 * The look that all elements share. A page sets `--convlet-...` on the element or above it; what is not set follows the
 * page's own colour scheme.
 */

/**
 * @param {string} css
 */
export function sheet(css) {
  // Where pages are rendered ahead, nothing is shown.
  if (!globalThis.CSSStyleSheet) return /** @type {CSSStyleSheet} */ ({})
  const made = new CSSStyleSheet()
  made.replaceSync(css)
  return made
}

/** Each colour in light and in dark. */
const COLOURS = {
  paper: ['#ffffff', '#211f1c'],
  sunken: ['#f0ece4', '#25231f'],
  ink: ['#1d1b18', '#f1ece3'],
  'ink-soft': ['#625c53', '#aba498'],
  line: ['#ddd7cb', '#3a3731'],
  accent: ['#c13c14', '#ff7d4d'],
  'on-accent': ['#ffffff', '#1d1b18'],
  cool: ['#1f63a8', '#74b3f0'],
  bad: ['#9a1c1c', '#ff9c90'],
}

/**
 * @param {(light: string, dark: string) => string} choose
 */
const colours = (choose) =>
  Object.entries(COLOURS)
    .map(([name, [light, dark]]) => `--${name}: var(--convlet-${name}, ${choose(light, dark)});`)
    .join('\n')

export const BASE = sheet(`
:host { ${colours((light) => light)} }
@media (prefers-color-scheme: dark) {
  :host { ${colours((_, dark) => dark)} }
}
@supports (color: light-dark(red, red)) {
  :host { ${colours((light, dark) => `light-dark(${light}, ${dark})`)} }
}
:host {
  --round: var(--convlet-round, 0.5rem);
  display: block;
  position: relative;
  contain: layout style;
  padding: 1rem;
  border: 1px solid var(--line);
  border-radius: var(--round);
  background: var(--paper);
  color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif;
  font-variant-numeric: tabular-nums;
  text-align: start;
}
:host([hidden]) { display: none; }
:host, *, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
p, ul, ol, table, figure { margin: 0; padding: 0; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.hidden-text {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
.row { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: end; }
.row:has(> .field.wide) { column-gap: 1.5rem; }
.button, .select {
  min-height: 2.75rem; min-width: 2.75rem; padding: 0.25rem 0.75rem; border: 1px solid var(--line);
  border-radius: var(--round); background: var(--paper); color: inherit; font: inherit; cursor: pointer;
}
.select { max-width: 100%; }
.button:hover, .select:hover { border-color: var(--ink-soft); }
.button:disabled { color: var(--ink-soft); cursor: default; }
.button.primary { border-color: var(--accent); background: var(--accent); color: var(--on-accent); font-weight: 650; }
.button.primary:disabled { border-color: var(--line); background: var(--sunken); color: var(--ink-soft); }
.button[aria-pressed='true'] { border-color: var(--accent); color: var(--accent); font-weight: 650; }
.field { display: grid; gap: 0.125rem; font-size: 0.875rem; color: var(--ink-soft); }
.field .select { color: var(--ink); font-size: 1rem; }
.field.wide { flex: 1 1 11rem; }
.field-head { display: flex; justify-content: space-between; gap: 0.5rem; }
.slider-value { color: var(--ink); font-weight: 650; }
.slider { width: 100%; min-width: 0; height: 2rem; margin: 0; accent-color: var(--accent); }
.soft { color: var(--ink-soft); }
.scroll { overflow-x: auto; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font: 12px system-ui, sans-serif; font-variant-numeric: tabular-nums; fill: var(--ink); }
svg .soft-text { fill: var(--ink-soft); }
@media print { :host { break-inside: avoid; } .row { display: none; } }
`)
