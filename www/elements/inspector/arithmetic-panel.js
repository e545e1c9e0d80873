import { make } from '../support/dom.js'
import { fixed, whole } from '../support/format.js'
import { sheet } from '../support/sheet.js'
import { css, rangeOf, signedRangeOf } from './colour.js'
import { activationName, pair } from './words.js'

/** @import { Arithmetic, Inspection, Layer, Term } from '../../client/inspector.js' */

/** Channels whose patch is written out, and single terms of a long sum. */
const PATCHES = 3
const TERMS = 8

export const PANEL = sheet(`
.arithmetic { display: grid; gap: 0.75rem; padding: 0.75rem; border-radius: var(--round); background: var(--sunken); min-height: 16rem; align-content: start; }
.product { display: flex; flex-wrap: wrap; gap: 0.25rem 0.5rem; align-items: center; }
.product-name { flex: 1 0 100%; font-size: 0.875rem; color: var(--ink-soft); }
.numbers { display: grid; gap: 1px; }
.number { min-width: 2.6rem; padding: 0.125rem 0.25rem; font-size: 0.75rem; text-align: end; }
.number.padding { outline: 1px dashed var(--line); outline-offset: -1px; color: var(--ink-soft); }
.number.chosen { outline: 2px solid var(--accent); outline-offset: -2px; font-weight: 700; }
.list { display: grid; gap: 0.25rem; font-size: 0.875rem; }
.line { overflow-wrap: anywhere; }
.result { font-weight: 700; }
`)

/** How one number came about, written out. */
export class ArithmeticPanel {
  element = make('div', 'arithmetic')

  /**
   * @param {Inspection} inspection
   * @param {number} number the layer's
   * @param {Arithmetic} arithmetic
   * @returns {string} the last line, for those who listen
   */
  show(inspection, number, arithmetic) {
    const layer = inspection.layers[number]
    const { terms, rule } = arithmetic
    const [rows, columns] = pair(layer.config.kernel_size ?? layer.config.pool_size, 1)
    const nodes =
      rule === 'max' || (rule === 'mean' && terms.length <= 25)
        ? [window(inspection.shape(layer.inputs[0]), terms, rule)]
        : layer.config.kernel_size
          ? patches(inspection, layer, terms, rows * columns, columns)
          : listed(inspection, layer, arithmetic)
    const lines = total(layer, arithmetic)
    this.element.replaceChildren(...nodes, ...lines.map((text) => make('p', 'line', text)))
    this.element.lastElementChild?.classList.add('result')
    return lines[lines.length - 1]
  }
}

/**
 * @param {Layer} layer
 * @param {Arithmetic} arithmetic
 */
function total({ className, config }, { rule, terms, bias, total, output }) {
  const name = activationName(className, config)
  const after = name ? [name === 'softmax' ? share(total, output) : `${name}: ${fixed(total, 3)} becomes ${fixed(output, 3)}`] : []
  if (rule === 'max') return [`The largest of ${terms.length}: ${fixed(output, 3)}`]
  if (rule === 'mean') return [`The mean of ${whole(terms.length)}: ${fixed(output, 3)}`]
  if (terms.length === 1 && bias === 0 && terms[0].weight === 1)
    return after.length > 0 ? after : [`Passed on: ${fixed(output, 3)}`]
  return [`All products ${fixed(total - bias, 3)}, bias ${fixed(bias, 3)}, together ${fixed(total, 3)}`, ...after]
}

/**
 * Softmax, which takes all outputs of the layer: their sum follows from this one's share.
 *
 * @param {number} total
 * @param {number} output
 */
function share(total, output) {
  const own = Math.exp(total)
  const sum = own / output
  if (!Number.isFinite(sum)) return `softmax: its share among all outputs is ${fixed(output, 3)}`
  return `softmax: e to the ${fixed(total, 3)} is ${fixed(own, 3)}; of ${fixed(sum, 3)}, the sum over all outputs, that is ${fixed(output, 3)}`
}

/**
 * The patch, the kernel and their products, for the channels that count most.
 *
 * @param {Inspection} inspection
 * @param {Layer} layer
 * @param {Term[]} terms
 * @param {number} places
 * @param {number} columns
 */
function patches(inspection, layer, terms, places, columns) {
  const channels = terms.length / places
  const all = Array.from({ length: channels }, (_, channel) => {
    const own = terms.filter((_, i) => i % channels === channel)
    return { channel, own, sum: own.reduce((sum, { value, weight }) => sum + value * weight, 0) }
  })
  const shown = [...all].sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum)).slice(0, PATCHES)
  if (channels <= PATCHES) shown.sort((a, b) => a.channel - b.channel)
  const values = rangeOf(shown.flatMap(({ own }) => own.map(({ value }) => value)))
  const weights = signedRangeOf(shown.flatMap(({ own }) => own.map(({ weight }) => weight)))
  const products = signedRangeOf(shown.flatMap(({ own }) => own.map(({ value, weight }) => value * weight)))
  const isPicture = layer.inputs[0] < 0 && channels === 3
  const nodes = shown.map(({ channel, own, sum }) =>
    make(
      'div',
      'product',
      make('p', 'product-name', isPicture ? ['Red', 'Green', 'Blue'][channel] : channels > 1 ? `Channel ${channel}` : 'The channel'),
      grid(own, columns, ({ value }) => value, values),
      make('span', '', '×'),
      grid(own, columns, ({ weight }) => weight, weights),
      make('span', '', '='),
      grid(own, columns, ({ value, weight }) => value * weight, products),
      make('span', '', `sum ${fixed(sum, 3)}`),
    ),
  )
  if (channels <= PATCHES) return nodes
  const rest = all.filter((channel) => !shown.includes(channel)).reduce((sum, { sum: own }) => sum + own, 0)
  return [...nodes, make('p', 'line', `The other ${channels - PATCHES} channels come to ${fixed(rest, 3)}.`)]
}

/**
 * @param {number[]} shape the input's
 * @param {Term[]} terms
 * @param {'max' | 'mean'} rule
 */
function window([, width, channels], terms, rule) {
  const row = (/** @type {Term} */ { index }) => Math.floor(index / channels / width)
  const columns = terms.filter((term) => row(term) === row(terms[0])).length
  const range = rangeOf(terms.map(({ value }) => value))
  return make('div', 'product', make('p', 'product-name', 'The window'), grid(terms, columns, ({ value }) => value, range, rule === 'max'))
}

/**
 * The largest contributions of a sum.
 *
 * @param {Inspection} inspection
 * @param {Layer} layer
 * @param {Arithmetic} arithmetic
 */
function listed(inspection, layer, { rule, terms }) {
  if (rule === 'mean' || (terms.length === 1 && terms[0].weight === 1)) return []
  const shown = [...terms].sort((a, b) => Math.abs(b.value * b.weight) - Math.abs(a.value * a.weight)).slice(0, TERMS)
  const nodes = shown.map(({ input, index, value, weight }) =>
    make('p', 'line', `${place(inspection, layer.inputs[input], index)}: ${fixed(value, 3)} × ${fixed(weight, 3)} = ${fixed(value * weight, 3)}`),
  )
  const rest = terms.filter((term) => !shown.includes(term))
  if (rest.length === 0) return nodes
  const sum = rest.reduce((sum, { value, weight }) => sum + value * weight, 0)
  return [
    make('p', 'product-name', `The largest of ${whole(terms.length)} products`),
    make('div', 'list', ...nodes),
    make('p', 'line', `The other ${whole(rest.length)} come to ${fixed(sum, 3)}.`),
  ]
}

/**
 * Where a number stands: in the map that was flattened, if it was.
 *
 * @param {Inspection} inspection
 * @param {number} layer
 * @param {number} index
 */
function place(inspection, layer, index) {
  while (layer >= 0 && ['Flatten', 'Dropout'].includes(inspection.layers[layer].className))
    layer = inspection.layers[layer].inputs[0]
  const [, width, channels] = inspection.shape(layer)
  const name = layer < 0 ? 'picture' : inspection.layers[layer].name
  if (layer >= 0 && inspection.layers[layer].outputShape.length < 3) return `${name} ${index}`
  const pixel = Math.floor(index / channels)
  return `${name}, row ${Math.floor(pixel / width)}, column ${pixel % width}, channel ${index % channels}`
}

/**
 * @param {Term[]} terms
 * @param {number} columns
 * @param {(term: Term) => number} read
 * @param {import('./colour.js').Range} range
 * @param {boolean} [marked] the term of weight 1 is marked
 */
function grid(terms, columns, read, range, marked = false) {
  const element = make('div', 'numbers')
  element.style.gridTemplateColumns = `repeat(${columns}, auto)`
  for (const term of terms) {
    // A hundred of them come with each move of the pointer: no parts.
    const cell = document.createElement('span')
    cell.className = 'number'
    cell.textContent = fixed(read(term))
    if (term.index < 0) cell.classList.add('padding')
    else {
      const { background, ink } = css(read(term), range)
      Object.assign(cell.style, { background, color: ink })
    }
    cell.classList.toggle('chosen', marked && term.weight === 1)
    element.append(cell)
  }
  return element
}
