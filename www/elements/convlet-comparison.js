import { make, scrollable } from './support/dom.js'
import { ConvletElement, define, whenSeen } from './support/element.js'
import { bytes, percent, whole } from './support/format.js'
import { sharedModel } from './support/models.js'
import { sheet } from './support/sheet.js'

/** @import { Classifier } from '../client/classifier.js' */

const STYLE = sheet(`
/* Fixed: what comes later must not move what is there. */
.table { width: 100%; min-width: 17rem; table-layout: fixed; border-collapse: collapse; }
th, td { padding: 0.375rem 0.75rem 0.375rem 0; text-align: start; border-bottom: 1px solid var(--line); }
thead th { font-size: 0.875rem; font-weight: 500; color: var(--ink-soft); }
tbody th { font-weight: 650; overflow-wrap: anywhere; }
.number { text-align: end; white-space: nowrap; }
@media (max-width: 34rem) {
  .number.aside { display: none; }
  th:first-child { width: 27%; }
  th, td { padding-inline-end: 0.375rem; }
}
.words { min-height: 1.5em; margin-top: 0.5rem; }
`)

/**
 * What is told of each model, and its class: what is aside is left out on a phone. Every figure comes out of the file.
 *
 * @type {[string, string, (model: Classifier) => string][]}
 */
const COLUMNS = [
  ['input', 'number aside', ({ input }) => `${input.width} × ${input.height}`],
  ['layers', 'number', ({ layers }) => whole(layers.length)],
  ['parameters', 'number', ({ parameters }) => whole(parameters)],
  ['right', 'number', ({ training }) => best(training.history?.val_accuracy)],
  ['file', 'number aside', ({ size }) => bytes(size)],
]

/**
 * `<convlet-comparison src="one.safetensors another.safetensors">`: models side by side, from what their files say of
 * them. Attribute: `src`, addresses parted by spaces. Events: `load`, `error`.
 */
export class ConvletComparison extends ConvletElement {
  /** @override */
  static styles = [STYLE]

  static observedAttributes = ['src']

  /**
   * @override
   * @param {AbortSignal} signal
   */
  start(signal) {
    const head = [['model', ''], ...COLUMNS].map(([name, className]) => {
      const cell = make('th', /** @type {string} */ (className), /** @type {string} */ (name))
      cell.scope = 'col'
      return cell
    })
    const body = make('tbody', '', ...this.sources.map((src) => make('tr', '', rowHead(src), ...COLUMNS.map(([, className]) => make('td', className, '–')))))
    const words = make('p', 'words')
    const scroll = scrollable('Models', make('table', 'table', make('thead', '', make('tr', '', ...head)), body))
    this.root.replaceChildren(scroll, words)
    whenSeen(this, signal, () => this.#load(body, words, signal))
  }

  get sources() {
    return this.getAttribute('src')?.trim().split(/\s+/) ?? []
  }

  /**
   * @param {HTMLElement} body
   * @param {HTMLElement} words
   * @param {AbortSignal} signal
   */
  async #load(body, words, signal) {
    try {
      for (const [place, src] of this.sources.entries()) {
        const model = await sharedModel(src, { signal })
        const cells = COLUMNS.map(([, className, tell]) => make('td', className, tell(model)))
        body.children[place].replaceChildren(rowHead(src), ...cells)
      }
      this.emit('load')
    } catch (thrown) {
      if (signal.aborted) return
      words.textContent = thrown instanceof Error ? thrown.message : String(thrown)
      this.emit('error', thrown)
    }
  }
}

/**
 * @param {string} src
 */
function rowHead(src) {
  const cell = make('th', '', src.slice(src.lastIndexOf('/') + 1).replace(/\.safetensors.*/, ''))
  cell.scope = 'row'
  return cell
}

/**
 * @param {number[] | undefined} accuracies
 */
const best = (accuracies) => (accuracies?.length ? percent(Math.max(...accuracies)) : '–')

define('convlet-comparison', ConvletComparison)
