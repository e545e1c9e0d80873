import { make, slider } from './support/dom.js'
import { ConvletElement, define } from './support/element.js'
import { fixed, whole } from './support/format.js'
import { sheet } from './support/sheet.js'

const STYLE = sheet(`
.count { display: grid; gap: 0.25rem; margin-top: 1rem; }
.head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; }
.name { font-weight: 650; }
.value { font-weight: 700; }
.formula { color: var(--ink-soft); font-size: 0.875rem; min-height: 1.5em; overflow-wrap: anywhere; }
.track { height: 0.75rem; border-radius: 0.375rem; background: var(--sunken); box-shadow: inset 0 0 0 1px var(--line); overflow: hidden; }
.fill { height: 100%; min-width: 2px; background: var(--accent); }
.fill.dense { background: var(--ink-soft); }
.ratio { margin-top: 1rem; min-height: 3em; }
@media print { .fill { print-color-adjust: exact; } }
`)

/** Channels of a colour picture. */
const CHANNELS = 3

/**
 * `<convlet-parameters>`: the weights of a first layer, dense or convolutional, counted while the picture's side, the
 * number of neurons or filters and the kernel's side are moved. Attributes: `side`, `units`, `kernel`.
 */
export class ConvletParameters extends ConvletElement {
  /** @override */
  static styles = [STYLE]

  static observedAttributes = ['side', 'units', 'kernel']

  side = 64
  units = 32
  kernel = 3
  #dense = new Count('Dense layer', 'fill dense')
  #convolution = new Count('Convolution', 'fill')
  #ratio = make('p', 'ratio')

  /** Weights and biases of each. */
  get counts() {
    const { side, units, kernel } = this
    return {
      dense: (side * side * CHANNELS + 1) * units,
      convolution: (kernel * kernel * CHANNELS + 1) * units,
    }
  }

  /** @override */
  start() {
    this.side = this.number('side', this.side, 8, 512)
    this.units = this.number('units', this.units, 1, 256)
    this.kernel = this.number('kernel', this.kernel, 1, 11)
    const controls = [
      slider('Picture', { min: 8, max: 512, step: 8, value: this.side }, (n) => `${n} × ${n} pixels`, (n) => this.#set({ side: n })),
      slider('Neurons, or filters', { min: 1, max: 256, step: 1, value: this.units }, String, (n) => this.#set({ units: n })),
      slider('Kernel', { min: 1, max: 11, step: 2, value: this.kernel }, (n) => `${n} × ${n}`, (n) => this.#set({ kernel: n })),
    ]
    this.root.replaceChildren(
      make('div', 'row', ...controls.map(({ element }) => element)),
      this.#dense.element,
      this.#convolution.element,
      this.#ratio,
    )
    this.#show()
  }

  /**
   * @param {Partial<Pick<ConvletParameters, 'side' | 'units' | 'kernel'>>} change
   */
  #set(change) {
    Object.assign(this, change)
    this.#show()
  }

  #show() {
    const { side, units, kernel } = this
    const { dense, convolution } = this.counts
    const largest = Math.max(dense, convolution)
    this.#dense.show(dense, largest, `(${side} × ${side} × ${CHANNELS} + 1) × ${units}`)
    this.#convolution.show(convolution, largest, `(${kernel} × ${kernel} × ${CHANNELS} + 1) × ${units}`)
    const [larger, smaller] = dense > convolution ? ['dense layer', 'convolution'] : ['convolution', 'dense layer']
    const times = largest / Math.min(dense, convolution)
    const words = times === 1 ? 'Here both have as many.' : `The ${larger} has ${rounded(times)} times as many as the ${smaller}.`
    this.#ratio.textContent = `${words} Both bars are drawn to one scale.`
  }
}

/** @param {number} times */
const rounded = (times) => (times < 10 ? fixed(times, 1) : whole(Math.round(times)))

/** One layer's count: as a number, as a formula, as a bar. */
class Count {
  #value = make('span', 'value')
  #formula = make('p', 'formula')
  #fill

  /**
   * @param {string} name
   * @param {string} fill
   */
  constructor(name, fill) {
    this.#fill = make('div', fill)
    this.element = make(
      'div',
      'count',
      make('p', 'head', make('span', 'name', name), this.#value),
      make('div', 'track', this.#fill),
      this.#formula,
    )
  }

  /**
   * @param {number} count
   * @param {number} largest
   * @param {string} formula
   */
  show(count, largest, formula) {
    this.#value.textContent = `${whole(count)} parameters`
    this.#formula.textContent = formula
    this.#fill.style.width = `${(count / largest) * 100}%`
  }
}

define('convlet-parameters', ConvletParameters)
