import { make, scrollable } from './support/dom.js'
import { ConvletElement, define } from './support/element.js'
import { percent, whole } from './support/format.js'
import { numbers, rows } from './support/sliding.js'
import { sheet } from './support/sheet.js'

const STYLE = sheet(`
.table { border-collapse: separate; border-spacing: 3px; width: 100%; }
th { padding: 0.375rem; font-size: 0.875rem; font-weight: 500; color: var(--ink-soft); text-align: start; }
.cell { padding: 0.625rem; border-radius: 4px; background: color-mix(in srgb, var(--tone) var(--share), var(--paper)); }
.cell.right { --tone: var(--cool); }
.cell.wrong { --tone: var(--accent); }
.count { display: block; font-size: 1.25rem; font-weight: 700; }
.words { margin-top: 0.75rem; }
@media print { .cell { print-color-adjust: exact; } }
`)

/**
 * `<convlet-confusion labels="cat dog" counts="999 251 156 1094">`: what was shown, by row, and what the network said, by
 * column; the share of each row as its colour. A program may set `matrix` instead of `counts`.
 */
export class ConvletConfusion extends ConvletElement {
  /** @override */
  static styles = [STYLE]

  static observedAttributes = ['labels', 'counts']

  /** @type {number[][] | undefined} */
  #matrix

  /** Pictures, by true class and by answer. */
  get matrix() {
    return this.#matrix ?? rows(numbers(this.getAttribute('counts')), this.labels.length)
  }

  set matrix(matrix) {
    this.#matrix = matrix
    this.start()
  }

  get labels() {
    return this.getAttribute('labels')?.trim().split(/\s+/) ?? []
  }

  /** @override */
  start() {
    const { matrix, labels } = this
    const all = matrix.flat().reduce((sum, count) => sum + count, 0)
    const right = matrix.reduce((sum, row, place) => sum + row[place], 0)
    const table = make(
      'table',
      'table',
      make('thead', '', make('tr', '', header('', 'col'), ...labels.map((label) => header(`said ${label}`, 'col')))),
      make('tbody', '', ...matrix.map((row, truth) => this.#row(row, truth))),
    )
    const words = all > 0 ? `${whole(right)} of ${whole(all)} right: ${percent(right / all)}.` : 'Nothing counted yet.'
    // Several on a page are told apart by what they say.
    this.root.replaceChildren(scrollable(`Confusion matrix: ${words}`, table), make('p', 'words', words))
  }

  /**
   * @param {number[]} row
   * @param {number} truth
   */
  #row(row, truth) {
    const sum = row.reduce((sum, count) => sum + count, 0)
    const cells = row.map((count, answer) => {
      const share = sum > 0 ? count / sum : 0
      const cell = make('td', `cell ${truth === answer ? 'right' : 'wrong'}`, make('span', 'count', whole(count)), sum > 0 ? percent(share) : '–')
      cell.style.setProperty('--share', `${Math.round(share * 45)}%`)
      return cell
    })
    return make('tr', '', header(this.labels[truth] ?? '', 'row'), ...cells)
  }
}

/**
 * @param {string} text
 * @param {string} scope
 */
function header(text, scope) {
  const cell = make(text ? 'th' : 'td', '', text)
  if (text) cell.setAttribute('scope', scope)
  return cell
}

define('convlet-confusion', ConvletConfusion)
