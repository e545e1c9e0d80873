import { make, scrollable } from './support/dom.js'
import { ConvletElement, define, whenSeen } from './support/element.js'
import { whole } from './support/format.js'
import { sharedModel } from './support/models.js'
import { sheet } from './support/sheet.js'

/** @import { Classifier } from '../client/classifier.js' */

const STYLE = sheet(`
.table { width: 100%; table-layout: fixed; border-collapse: collapse; }
th:first-child { width: 50%; }
th.number { width: 7rem; }
th, td { padding: 0.375rem 0.75rem 0.375rem 0; text-align: start; vertical-align: baseline; border-bottom: 1px solid var(--line); }
th { font-size: 0.875rem; font-weight: 500; color: var(--ink-soft); }
.number { text-align: end; white-space: nowrap; }
.formula { color: var(--ink-soft); font-size: 0.875rem; }
.sum td { border: 0; font-weight: 700; }
.check { margin-top: 0.75rem; min-height: 3em; }
.narrow { display: none; }
@media (max-width: 30rem) {
  .shape { display: none; }
  .narrow { display: block; }
  th:first-child { width: auto; }
}
`)

/**
 * `<convlet-summary src="model.safetensors">`: a network's layers, what each puts out, and how its parameters are
 * counted; their sum is held to the engine's own count. Attributes: `src`, `integrity`. Events: `load`, `error`.
 */
export class ConvletSummary extends ConvletElement {
  /** @override */
  static styles = [STYLE]

  static observedAttributes = ['src', 'integrity']

  #rows = make('tbody', '')
  #check = make('p', 'check')

  /**
   * @override
   * @param {AbortSignal} signal
   */
  start(signal) {
    const head = ['Layer', 'Output', 'Parameters'].map((name, place) => {
      const cell = make('th', ['', 'shape', 'number'][place], name)
      cell.scope = 'col'
      return cell
    })
    const scroll = scrollable('Layers', make('table', 'table', make('thead', '', make('tr', '', ...head)), this.#rows))
    this.root.replaceChildren(scroll, this.#check)
    whenSeen(this, signal, () => this.#load(signal))
  }

  /**
   * @param {AbortSignal} signal
   */
  async #load(signal) {
    try {
      const integrity = this.getAttribute('integrity') ?? undefined
      const classifier = await sharedModel(this.getAttribute('src') ?? '', { integrity, signal })
      this.#show(classifier)
      this.emit('load', classifier.layers)
    } catch (thrown) {
      if (signal.aborted) return
      this.#check.textContent = thrown instanceof Error ? thrown.message : String(thrown)
      this.emit('error', thrown)
    }
  }

  /**
   * @param {Classifier} classifier
   */
  #show({ input, layers, parameters }) {
    let before = [input.height, input.width, input.channels]
    const rows = layers.map((layer) => {
      const formula = countFormula(layer, before)
      before = layer.outputShape
      const shape = layer.outputShape.join(' × ')
      return make(
        'tr',
        '',
        make('td', '', layer.className, ...(formula ? [make('div', 'formula', formula)] : []), make('div', 'formula narrow', `→ ${shape}`)),
        make('td', 'shape', shape),
        make('td', 'number', whole(layer.parameters)),
      )
    })
    const sum = layers.reduce((sum, layer) => sum + layer.parameters, 0)
    const total = make('tr', 'sum', make('td', '', 'Sum'), make('td', 'shape'), make('td', 'number', whole(sum)))
    this.#rows.replaceChildren(...rows, total)
    this.#check.textContent =
      sum === parameters
        ? `The engine, asked just now, counts ${whole(parameters)} as well.`
        : `The engine counts ${whole(parameters)}: the rows do not add up.`
  }
}

/**
 * How a layer's parameters come about, where they come about in the plain way: weights and a bias for each output.
 *
 * @param {Classifier['layers'][number]} layer
 * @param {number[]} before the shape it is given
 */
export function countFormula({ className, outputShape, parameters }, before) {
  const units = outputShape.at(-1) ?? 1
  const inputs = before.at(-1) ?? 1
  if (className === 'Dense' && (inputs + 1) * units === parameters) return `(${whole(inputs)} inputs + 1 bias) × ${units}`
  const side = Math.sqrt((parameters / units - 1) / inputs)
  if (className !== 'Conv2D' || !Number.isInteger(side)) return ''
  return `(${side} × ${side} × ${inputs} weights + 1 bias) × ${units} filters`
}

define('convlet-summary', ConvletSummary)
