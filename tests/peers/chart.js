/** Bars, a row for each engine: shorter is better. */
const SVG = 'http://www.w3.org/2000/svg'
const ROW = 26
const [NAMES, BARS, VALUES] = [110, 190, 70]

function draw(parent, name, attributes, text = '') {
  const node = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value))
  node.textContent = text
  return parent.appendChild(node)
}

/**
 * @param {string} title
 * @param {{ name: string, value: number, label: string, ours: boolean }[]} rows
 */
export function barChart(title, rows) {
  const figure = document.createElement('figure')
  const caption = document.createElement('figcaption')
  caption.textContent = title
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('viewBox', `0 0 ${NAMES + BARS + VALUES} ${rows.length * ROW}`)
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', `${title}: ${rows.map(({ name, label }) => `${name} ${label}`).join(', ')}`)
  const longest = Math.max(...rows.map(({ value }) => value))
  for (const [index, { name, value, label, ours }] of rows.entries()) {
    const [middle, width] = [(index + 0.5) * ROW, Math.max(1, (value / longest) * BARS)]
    draw(svg, 'text', { x: 0, y: middle, 'dominant-baseline': 'central' }, name)
    draw(svg, 'rect', { x: NAMES, y: middle - 8, width, height: 16, class: ours ? 'bar ours' : 'bar' })
    draw(svg, 'text', { x: NAMES + width + 6, y: middle, 'dominant-baseline': 'central' }, label)
  }
  figure.append(caption, svg)
  return figure
}
