import { draw } from './dom.js'
import { short } from './format.js'
import { sheet } from './sheet.js'

export const PLOT = sheet(`
.plot { max-height: 20rem; overflow: hidden; }
.plot .rule { stroke: var(--line); }
.plot .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
.plot .first { stroke: var(--ink-soft); stroke-dasharray: 7 4; }
.plot .curve { stroke: var(--ink-soft); }
.plot .second { stroke: var(--accent); }
.plot .tick { text-anchor: end; dominant-baseline: central; fill: var(--ink-soft); }
.plot .tick.below { text-anchor: middle; dominant-baseline: auto; }
.plot .axis { fill: var(--ink-soft); }
`)

const [WIDTH, HEIGHT] = [360, 220]
const [LEFT, RIGHT, TOP, BOTTOM] = [40, 12, 22, 38]

/** @typedef {{ from: number, to: number, low: number, high: number }} Range */

/** A small plot: two axes with round ticks, and whatever is put into `content`. */
export class Plot {
  content = draw('g')
  #rules = draw('g')
  #names
  /** @type {Range} */
  range

  /**
   * @param {Range} range
   * @param {{ across: string, up: string }} names
   */
  constructor(range, names) {
    this.range = range
    this.#names = names
    this.element = draw('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'plot', part: 'plot' }, this.#rules, this.content)
    this.element.role = 'img'
    this.resize(range)
  }

  /**
   * @param {Range} range
   * @param {{ across?: string, up?: string }} [names]
   */
  resize(range, names) {
    this.range = range
    this.#names = { ...this.#names, ...names }
    const { from, to, low, high } = range
    const bottom = HEIGHT - BOTTOM
    this.#rules.replaceChildren(
      ...ticks(low, high, 5).flatMap((value) => {
        const [, y] = this.at(from, value)
        return [
          draw('line', { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: 'rule' }),
          draw('text', { x: LEFT - 6, y, class: 'tick' }, short(value)),
        ]
      }),
      ...ticks(from, to, 8).map((value) =>
        draw('text', { x: this.at(value, low)[0], y: bottom + 16, class: 'tick below' }, short(value)),
      ),
      draw('text', { x: 0, y: 10, class: 'axis' }, this.#names.up),
      draw('text', { x: WIDTH - RIGHT, y: HEIGHT - 4, class: 'axis', 'text-anchor': 'end' }, this.#names.across),
    )
  }

  /**
   * Where a point lies in the drawing.
   *
   * @param {number} x
   * @param {number} y
   */
  at(x, y) {
    const { from, to, low, high } = this.range
    return [
      LEFT + ((x - from) / (to - from || 1)) * (WIDTH - LEFT - RIGHT),
      HEIGHT - BOTTOM - ((y - low) / (high - low || 1)) * (HEIGHT - TOP - BOTTOM),
    ]
  }

  /**
   * @template {SVGElement} Shape
   * @param {Shape} circle
   * @param {number} x
   * @param {number} y
   */
  place(circle, x, y) {
    const [cx, cy] = this.at(x, y)
    circle.setAttribute('cx', String(cx))
    circle.setAttribute('cy', String(cy))
    return circle
  }

  /**
   * @param {[number, number][]} points
   * @param {string} className
   */
  line(points, className) {
    const places = points.map(([x, y]) => this.at(x, y).map((value) => value.toFixed(1)).join(' '))
    return draw('path', { d: places.length > 0 ? `M${places.join('L')}` : '', class: className })
  }
}

/**
 * Round numbers from `from` to `to`, about `count` of them.
 *
 * @param {number} from
 * @param {number} to
 * @param {number} count
 */
export function ticks(from, to, count) {
  const raw = (to - from) / count || 1
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= raw * 0.999) ?? raw
  const first = Math.ceil(from / step - 1e-6)
  return Array.from({ length: Math.floor(to / step + 1e-6) - first + 1 }, (_, place) => (first + place) * step)
}
