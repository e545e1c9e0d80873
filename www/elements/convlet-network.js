import { choice, draw, make } from './support/dom.js'
import { ConvletElement, define } from './support/element.js'
import { fixed } from './support/format.js'
import { sheet } from './support/sheet.js'
import { Knob } from './support/knob.js'

const STYLE = sheet(`
.panes { display: grid; gap: 1.25rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)); }
.net { max-width: 30rem; margin-inline: auto; touch-action: pan-y; }
.link { stroke: var(--accent); }
.link.negative { stroke: var(--cool); }
.knob { cursor: ns-resize; touch-action: none; }
.knob:focus { outline: none; }
.knob rect { fill: var(--paper); stroke: var(--line); }
.knob:hover rect { stroke: var(--ink); }
.knob:focus-visible rect, .knob.held rect { stroke: var(--accent); stroke-width: 3; }
.knob text, .node-text { text-anchor: middle; dominant-baseline: central; }
.node { fill: var(--sunken); stroke: var(--ink-soft); }
.map { max-width: 15rem; margin-inline: auto; }
.map rect { fill: var(--accent); }
.map rect.negative { fill: var(--cool); }
.map { touch-action: none; cursor: crosshair; }
.map .frame { fill: none; stroke: var(--line); }
.map .zero { stroke: var(--ink-soft); stroke-width: 0.75; stroke-dasharray: 3 3; }
.map circle { fill: none; stroke: var(--ink); stroke-width: 2; }
.caption { font-size: 0.875rem; color: var(--ink-soft); margin-top: 0.5rem; }
.sum { margin-top: 1rem; padding: 0.75rem; border-radius: var(--round); background: var(--sunken); min-height: 9rem; }
.sum p { overflow-wrap: anywhere; }
.sum .last { font-weight: 700; }
.row { margin-top: 1rem; }
`)

/** @type {{ [name: string]: (z: number) => number }} */
const ACTIVATIONS = {
  relu: (z) => Math.max(0, z),
  tanh: Math.tanh,
  sigmoid: (z) => 1 / (1 + Math.exp(-z)),
  linear: (z) => z,
}

/** Where the neurons stand: two inputs, three hidden, one output. */
const INPUTS = [{ x: 26, y: 106 }, { x: 26, y: 234 }]
const HIDDEN = [{ x: 178, y: 44 }, { x: 178, y: 170 }, { x: 178, y: 296 }]
const OUTPUT = { x: 292, y: 170 }
/** From a neuron down to its bias. */
const TO_BIAS = 38
/** Where on its line a weight's knob sits: knobs of different inputs must not meet. */
const FIRST_KNOBS = [0.36, 0.68]
/** Cells along a side of the map. */
const CELLS = 20

/**
 * `<convlet-network>`: a dense network of two inputs, three hidden neurons and one output, whose weights, biases and
 * inputs are dragged or moved by arrow keys, with the forward way written out and the output for every input drawn.
 * Attribute: `activation` of the hidden neurons (relu, tanh, sigmoid, linear). Event `output`: the value.
 */
export class ConvletNetwork extends ConvletElement {
  /** @override */
  static styles = [STYLE]

  static observedAttributes = ['activation']

  inputs = [0.6, -0.4]
  /** Weights of the hidden neurons, (hidden, input). */
  first = [
    [1.6, -1.2],
    [-1.4, 1.5],
    [1, 1],
  ]
  firstBias = [0, 0, -0.5]
  second = [1.8, 1.8, -1.5]
  secondBias = -0.6
  activation = 'relu'
  /** @type {Knob[]} */
  #knobs = []
  /** @type {Knob[]} */
  #inputKnobs = []
  /** @type {SVGLineElement[]} */
  #links = []
  /** @type {SVGTextElement[]} */
  #values = []
  /** @type {SVGRectElement[]} */
  #cells = []
  #dot = draw('circle', { r: 5 })
  #sum = make('div', 'sum')

  /** @override */
  start() {
    const asked = this.getAttribute('activation')
    if (asked && asked in ACTIVATIONS) this.activation = asked
    this.#knobs = []
    this.#links = []
    this.#values = []
    const net = this.#net()
    const map = this.#map()
    const pick = choice('Activation of the hidden neurons', Object.keys(ACTIVATIONS), this.activation, (name) => {
      this.activation = name
      this.#show()
    })
    this.root.replaceChildren(
      make(
        'div',
        'panes',
        make('div', '', net, make('p', 'caption', 'Drag any number up or down, or focus it and press the arrow keys.')),
        make('div', '', map, make('p', 'caption', 'The output for every pair of inputs: warm above one half, cool below. The ring is the present pair; drag it.')),
      ),
      make('div', 'row', pick),
      this.#sum,
    )
    this.#show()
  }

  /**
   * What the network makes of two inputs.
   *
   * @param {number[]} inputs
   */
  forward(inputs) {
    const f = ACTIVATIONS[this.activation]
    const hidden = this.first.map((weights, unit) =>
      f(weights.reduce((sum, weight, i) => sum + weight * inputs[i], this.firstBias[unit])),
    )
    const z = this.second.reduce((sum, weight, unit) => sum + weight * hidden[unit], this.secondBias)
    return { hidden, z, output: ACTIVATIONS.sigmoid(z) }
  }

  #net() {
    const net = draw('svg', { viewBox: '0 0 320 352', class: 'net', part: 'net' })
    const change = () => this.#show()
    for (const [unit, to] of HIDDEN.entries())
      for (const [i, from] of INPUTS.entries()) {
        this.#link(net, from, to)
        this.#knob(`weight from input ${i + 1} to hidden ${unit + 1}`, between(from, to, FIRST_KNOBS[i]), this.first[unit], i, change)
      }
    for (const [unit, from] of HIDDEN.entries()) {
      this.#link(net, from, OUTPUT)
      this.#knob(`weight from hidden ${unit + 1} to the output`, between(from, OUTPUT, 0.5), this.second, unit, change)
    }
    for (const [unit, at] of HIDDEN.entries()) {
      this.#node(net, at)
      this.#knob(`bias of hidden ${unit + 1}`, { x: at.x, y: at.y + TO_BIAS }, this.firstBias, unit, change)
    }
    this.#node(net, OUTPUT)
    const own = [this.secondBias]
    this.#knob('bias of the output', { x: OUTPUT.x, y: OUTPUT.y + TO_BIAS }, own, 0, () => {
      this.secondBias = own[0]
      change()
    })
    for (const [i, at] of INPUTS.entries()) {
      net.append(draw('text', { x: at.x, y: at.y - 28, class: 'node-text soft-text' }, `x${'₁₂'[i]}`))
      this.#inputKnobs[i] = this.#knob(`input ${i + 1}`, at, this.inputs, i, change, { limit: 1, round: true })
    }
    // Knobs last: they lie above the lines.
    net.append(...this.#knobs.map(({ element }) => element))
    return net
  }

  /**
   * @param {SVGElement} net
   * @param {{ x: number, y: number }} from
   * @param {{ x: number, y: number }} to
   */
  #link(net, from, to) {
    const link = draw('line', { x1: from.x, y1: from.y, x2: to.x, y2: to.y, class: 'link' })
    this.#links.push(link)
    net.append(link)
  }

  /**
   * @param {SVGElement} net
   * @param {{ x: number, y: number }} at
   */
  #node(net, { x, y }) {
    const value = draw('text', { x, y, class: 'node-text' })
    this.#values.push(value)
    net.append(draw('circle', { cx: x, cy: y, r: 20, class: 'node' }), value)
  }

  /**
   * @param {string} label
   * @param {{ x: number, y: number }} at
   * @param {number[]} values
   * @param {number} index
   * @param {() => void} onChange
   * @param {{ limit?: number, round?: boolean }} [options]
   */
  #knob(label, at, values, index, onChange, options) {
    const knob = new Knob(label, at, values[index], options, (value) => {
      values[index] = value
      onChange()
    })
    this.#knobs.push(knob)
    return knob
  }

  #map() {
    const map = draw('svg', { viewBox: `0 0 ${CELLS * 10} ${CELLS * 10}`, class: 'map', part: 'map' })
    map.role = 'img'
    map.ariaLabel = 'The output for every pair of inputs'
    this.#cells = Array.from({ length: CELLS * CELLS }, (_, place) =>
      draw('rect', { x: (place % CELLS) * 10, y: Math.floor(place / CELLS) * 10, width: 10, height: 10 }),
    )
    const [side, middle] = [CELLS * 10, CELLS * 5]
    map.append(
      ...this.#cells,
      draw('rect', { width: side, height: side, class: 'frame' }),
      draw('path', { d: `M0 ${middle}H${side}M${middle} 0V${side}`, class: 'zero' }),
      draw('text', { x: side - 4, y: middle - 5, class: 'soft-text', 'text-anchor': 'end' }, 'x₁ = 1'),
      draw('text', { x: 4, y: middle - 5, class: 'soft-text' }, '−1'),
      draw('text', { x: middle + 5, y: 13, class: 'soft-text' }, 'x₂ = 1'),
      draw('text', { x: middle + 5, y: side - 5, class: 'soft-text' }, '−1'),
      this.#dot,
    )
    // The knobs of the inputs do the same by keyboard.
    const put = (/** @type {PointerEvent} */ event) => {
      const { left, top, width, height } = map.getBoundingClientRect()
      this.#inputKnobs[0].set(((event.clientX - left) / width) * 2 - 1)
      this.#inputKnobs[1].set(1 - ((event.clientY - top) / height) * 2)
    }
    map.addEventListener('pointerdown', (event) => {
      map.setPointerCapture(event.pointerId)
      put(event)
    })
    map.addEventListener('pointermove', (event) => map.hasPointerCapture(event.pointerId) && put(event))
    return map
  }

  #show() {
    const { hidden, z, output } = this.forward(this.inputs)
    const weights = [...this.first.flat(), ...this.second]
    for (const [place, link] of this.#links.entries()) {
      link.style.strokeWidth = `${Math.min(8, 0.5 + Math.abs(weights[place]) * 2)}px`
      link.classList.toggle('negative', weights[place] < 0)
    }
    for (const [place, text] of this.#values.entries()) text.textContent = fixed([...hidden, output][place])
    for (const [place, cell] of this.#cells.entries()) {
      const at = [axis(place % CELLS), -axis(Math.floor(place / CELLS))]
      const { output } = this.forward(at)
      cell.style.opacity = String(Math.abs(output - 0.5) * 1.8)
      cell.classList.toggle('negative', output < 0.5)
    }
    this.#dot.setAttribute('cx', String((this.inputs[0] + 1) * CELLS * 5))
    this.#dot.setAttribute('cy', String((1 - this.inputs[1]) * CELLS * 5))
    const lines = hidden.map((value, unit) => {
      const terms = this.first[unit].map((weight, i) => `${fixed(weight, 1)} × ${fixed(this.inputs[i], 1)}`)
      return `h${'₁₂₃'[unit]} = ${this.activation}(${terms.join(' + ')} + ${fixed(this.firstBias[unit], 1)}) = ${fixed(value)}`
    })
    const terms = this.second.map((weight, unit) => `${fixed(weight, 1)} × ${fixed(hidden[unit])}`)
    const last = `output = sigmoid(${terms.join(' + ')} + ${fixed(this.secondBias, 1)}) = sigmoid(${fixed(z)}) = ${fixed(output)}`
    this.#sum.replaceChildren(...lines.map((line) => make('p', '', line)), make('p', 'last', last))
    this.emit('output', output)
  }
}

/** The middle of a cell of the map, from -1 to 1. @param {number} cell */
const axis = (cell) => ((cell + 0.5) / CELLS) * 2 - 1

/**
 * @param {{ x: number, y: number }} from
 * @param {{ x: number, y: number }} to
 * @param {number} share
 */
const between = (from, to, share) => ({
  x: from.x + (to.x - from.x) * share,
  y: from.y + (to.y - from.y) * share,
})

define('convlet-network', ConvletNetwork)
