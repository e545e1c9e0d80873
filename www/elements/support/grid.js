import { make } from './dom.js'
import { short } from './format.js'
import { sheet } from './sheet.js'

export const GRID = sheet(`
.grid-box { display: grid; gap: 0.375rem; align-content: start; justify-items: start; }
.grid-title { font-size: 0.875rem; color: var(--ink-soft); }
.grid { display: grid; gap: 2px; }
.cell {
  --tint: transparent;
  width: var(--cell); height: var(--cell); padding: 0; border: 1px solid var(--line); border-radius: 3px;
  background: var(--tint); color: var(--ink); font: inherit; font-size: 0.875rem; text-align: center;
  display: grid; place-items: center; font-variant-numeric: tabular-nums;
}
.cell.padding { border-style: dashed; color: var(--ink-soft); }
.cell.covered { border-color: var(--accent); box-shadow: 0 0 0 2px var(--accent); z-index: 1; }
.cell.long { font-size: 0.625rem; letter-spacing: -0.03em; }
.cell[aria-invalid='true'] { border-color: var(--bad); box-shadow: 0 0 0 2px var(--bad); }
button.cell { cursor: pointer; }
.cell:focus-visible { z-index: 2; }
`)

/**
 * @typedef {object} GridOptions
 * @property {string} title
 * @property {'editable' | 'steps'} kind cells to type in, or buttons to choose a step by
 * @property {number} [before] cells of padding above and on the left
 * @property {number} [after] cells of padding below and on the right
 * @property {(row: number, column: number, value: number) => void} [onEdit]
 * @property {(row: number, column: number) => void} [onChoose]
 */

/** A square of numbers: one tab stop, in which arrow keys move. */
export class Grid {
  /** @type {HTMLElement[][]} */
  #cells = []
  #options

  /**
   * @param {number[][]} values
   * @param {GridOptions} options
   */
  constructor(values, options) {
    this.#options = options
    const { before = 0, after = 0, title, kind } = options
    const grid = make('div', 'grid')
    grid.role = 'group'
    grid.ariaLabel = title
    grid.style.gridTemplateColumns = `repeat(${before + values.length + after}, var(--cell))`
    for (let row = -before; row < values.length + after; row++)
      for (let column = -before; column < values.length + after; column++)
        grid.append(values[row]?.[column] === undefined ? padded() : this.#cell(row, column, values[row][column]))
    if (kind === 'editable') for (const edge of this.#cells.flat().slice(1)) edge.tabIndex = -1
    grid.addEventListener('keydown', (event) => this.#key(event))
    this.element = make('div', `grid-box ${kind}`, make('p', 'grid-title', title), grid)
    this.tint()
  }

  /**
   * @param {number} row
   * @param {number} column
   * @param {number} value
   */
  #cell(row, column, value) {
    const { kind, title, onEdit, onChoose } = this.#options
    const cell = make(kind === 'editable' ? 'input' : 'button', 'cell')
    const place = `${title}, row ${row + 1}, column ${column + 1}`
    if (cell instanceof HTMLInputElement) {
      let last = value
      cell.addEventListener('focus', () => (last = parse(cell.value)))
      Object.assign(cell, { type: 'text', inputMode: 'decimal', autocomplete: 'off', value: short(value) })
      cell.ariaLabel = place
      cell.addEventListener('focus', () => cell.select())
      cell.addEventListener('input', () => {
        const typed = parse(cell.value)
        cell.ariaInvalid = String(!Number.isFinite(typed))
        if (!Number.isFinite(typed)) return
        last = typed
        onEdit?.(row, column, typed)
      })
      // What is no number gives way to the last one that was.
      cell.addEventListener('blur', () => {
        if (cell.ariaInvalid === 'true') cell.value = short(last)
        cell.ariaInvalid = 'false'
      })
    } else {
      Object.assign(cell, { type: 'button', textContent: short(value) })
      cell.ariaLabel = `${place}: ${short(value)}`
      cell.addEventListener('click', () => onChoose?.(row, column))
    }
    ;(this.#cells[row] ??= [])[column] = cell
    return cell
  }

  /**
   * @param {KeyboardEvent} event
   */
  #key(event) {
    const moves = /** @type {{ [key: string]: number[] }} */ ({
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    })
    const move = moves[event.key]
    if (!move || event.ctrlKey || event.altKey || event.metaKey) return
    event.preventDefault()
    event.stopPropagation()
    const row = this.#cells.findIndex((cells) => cells.includes(/** @type {HTMLElement} */ (event.target)))
    const column = this.#cells[row]?.indexOf(/** @type {HTMLElement} */ (event.target))
    const next = this.#cells[row + move[0]]?.[column + move[1]]
    if (!next) return
    this.#stopAt(next)
    next.focus()
    this.#options.onChoose?.(row + move[0], column + move[1])
  }

  /**
   * Makes the cell the grid's one tab stop.
   *
   * @param {HTMLElement} stop
   */
  #stopAt(stop) {
    for (const cell of this.#cells.flat()) cell.tabIndex = cell === stop ? 0 : -1
  }

  /**
   * Shows other values in the same cells; the one being typed in is left alone.
   *
   * @param {number[][]} values
   */
  show(values) {
    for (const [row, cells] of this.#cells.entries())
      for (const [column, cell] of cells.entries()) {
        const text = short(values[row][column])
        if (cell instanceof HTMLInputElement) {
          if (!cell.matches(':focus')) cell.value = text
        } else {
          cell.textContent = text
          cell.ariaLabel = `${this.#options.title}, row ${row + 1}, column ${column + 1}: ${text}`
        }
      }
    this.tint()
  }

  /** Colours each cell by its value: warm above zero, cool below. */
  tint() {
    const cells = this.#cells.flat()
    const texts = cells.map((cell) => (cell instanceof HTMLInputElement ? cell.value : (cell.textContent ?? '')))
    const values = texts.map((text) => parse(text) || 0)
    const largest = Math.max(...values.map(Math.abs), 1e-9)
    for (const [place, cell] of cells.entries()) {
      cell.classList.toggle('long', texts[place].length > 4)
      const share = Math.round((Math.abs(values[place]) / largest) * 42)
      cell.style.setProperty('--tint', `color-mix(in srgb, var(${values[place] < 0 ? '--cool' : '--accent'}) ${share}%, var(--paper))`)
    }
  }

  /**
   * Frames the cells of a square, and makes the first of them the tab stop of a grid of steps.
   *
   * @param {number} top
   * @param {number} left
   * @param {number} size
   */
  cover(top, left, size) {
    const { before = 0, after = 0, kind } = this.#options
    const side = before + this.#cells.length + after
    const all = /** @type {HTMLCollectionOf<HTMLElement>} */ (this.element.lastElementChild?.children)
    for (const [place, cell] of [...all].entries()) {
      const row = Math.floor(place / side) - before - top
      const column = (place % side) - before - left
      cell.classList.toggle('covered', row >= 0 && row < size && column >= 0 && column < size)
    }
    if (kind === 'steps') this.#stopAt(this.#cells[top][left])
  }
}

function padded() {
  const cell = make('span', 'cell padding', '0')
  cell.ariaHidden = 'true'
  return cell
}

/**
 * @param {string} text
 */
const parse = (text) => Number(text.replace('−', '-').replace(',', '.') || NaN)
