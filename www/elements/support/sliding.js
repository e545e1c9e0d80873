import { geometry, patchAt } from './arithmetic.js'
import { button, choice, make } from './dom.js'
import { ConvletElement, every, wantsStillness } from './element.js'
import { short } from './format.js'
import { Grid, GRID } from './grid.js'
import { sheet } from './sheet.js'

/** @import { Geometry, Padding } from './arithmetic.js' */

/** Milliseconds a step stays while playing. */
const STEP = 900

export const SLIDING = sheet(`
:host { --cell: 2.25rem; }
.grids { display: flex; flex-wrap: wrap; gap: 1.25rem 1.75rem; }
.row { margin-top: 1rem; }
.sum {
  margin-top: 1rem; padding: 0.75rem; border-radius: var(--round); background: var(--sunken);
  min-height: calc(var(--lines) * 1.5em + 1.5rem);
}
.sum-line { overflow-wrap: anywhere; }
.sum-result { font-weight: 700; }
@media (max-width: 26rem) { :host { padding: 0.75rem; --cell: 2rem; } }
`)

/**
 * A window that slides over a small grid of numbers, one result a step: what `<convlet-convolution>` and
 * `<convlet-pooling>` have in common.
 */
export class Sliding extends ConvletElement {
  /** @override */
  static styles = [GRID, SLIDING]

  static observedAttributes = ['size', 'stride', 'padding', 'values']

  /** What the window slides over, row by row. @type {number[][]} */
  values = []
  /** The results, row by row. @type {number[][]} */
  output = []
  /** The step shown, counted along the rows. */
  position = 0
  stride = 1
  /** @type {Padding} */
  padding = 'valid'
  /** @type {Geometry} */
  #geometry = { output: 0, before: 0, after: 0 }
  /** @type {Grid | undefined} */
  #input
  /** @type {Grid | undefined} */
  #result
  /** Ends the play. @type {AbortController | undefined} */
  #playing
  #sum = make('div', 'sum')
  #spoken = make('p', 'hidden-text')
  #play = button('Play', () => (this.#playing ? this.pause() : this.play()), 'primary play')
  #grids = make('div', 'grids')
  #controls = make('div', 'row')

  /** The window's height and width. */
  get window() {
    return 2
  }

  /** The input's values where the page gives none. @type {number[][]} */
  get example() {
    return []
  }

  /**
   * @param {(number | undefined)[][]} _patch
   */
  compute(_patch) {
    return 0
  }

  /**
   * The arithmetic of a step, a line a string; the last one is the result.
   *
   * @param {(number | undefined)[][]} _patch
   * @returns {string[]}
   */
  explain(_patch) {
    return []
  }

  /** What stands between input and output, and further controls. @returns {{ grids: Node[], controls: Node[] }} */
  more() {
    return { grids: [], controls: [] }
  }

  /** Takes what the attributes say. */
  read() {
    const given = numbers(this.getAttribute('values'))
    const size = this.number('size', given.length > 0 ? Math.floor(Math.sqrt(given.length)) : this.example.length, 2, 12)
    const source = given.length > 0 ? rows(given, Math.floor(Math.sqrt(given.length))) : this.example
    this.values = Array.from({ length: size }, (_, row) =>
      Array.from({ length: size }, (_, column) => source[row]?.[column] ?? 0),
    )
    this.stride = this.number('stride', this.stride, 1, 4)
    this.padding = this.getAttribute('padding') === 'same' ? 'same' : 'valid'
    this.position = 0
  }

  /**
   * @override
   * @param {AbortSignal} signal
   */
  start(signal) {
    this.read()
    // A play is set down when the element leaves, and so are its timers.
    signal.addEventListener('abort', () => this.pause())
    this.#spoken.setAttribute('aria-live', 'polite')
    this.root.replaceChildren(this.#grids, this.#controls, this.#sum, this.#spoken)
    this.rebuild()
  }

  /** Draws all anew: sizes may have changed. */
  rebuild() {
    this.#geometry = geometry(this.values.length, this.window, this.stride, this.padding)
    const { output, before, after } = this.#geometry
    this.position = Math.min(this.position, Math.max(0, output * output - 1))
    this.#compute()
    this.#input = new Grid(this.values, {
      title: 'Input',
      kind: 'editable',
      before,
      after,
      onEdit: (row, column, value) => this.edit(row, column, value),
    })
    this.#result = new Grid(this.output, {
      title: 'Output',
      kind: 'steps',
      onChoose: (row, column) => this.#choose(row * output + column),
    })
    const { grids, controls } = this.more()
    this.#grids.replaceChildren(this.#input.element, ...grids, this.#result.element)
    this.#play.hidden = wantsStillness()
    this.#controls.replaceChildren(
      this.#play,
      button('Back', () => this.#choose(this.position - 1), 'back'),
      button('Step', () => this.#choose(this.position + 1), 'step'),
      choice('Stride', ['1', '2', '3'], String(this.stride), (stride) => this.#reshape({ stride: Number(stride) })),
      choice('Padding', ['valid', 'same'], this.padding, (padding) =>
        this.#reshape({ padding: /** @type {Padding} */ (padding) }),
      ),
      ...controls,
    )
    this.#show()
  }

  /**
   * @param {{ stride?: number, padding?: Padding }} change
   */
  #reshape({ stride = this.stride, padding = this.padding }) {
    Object.assign(this, { stride, padding })
    this.#keepingFocus(() => this.rebuild())
  }

  /**
   * The control in use is drawn anew as well: whoever holds it by the keyboard keeps it.
   *
   * @param {() => void} change
   */
  #keepingFocus(change) {
    const place = [...this.#controls.querySelectorAll('select')].indexOf(
      /** @type {HTMLSelectElement} */ (this.root.activeElement),
    )
    change()
    this.#controls.querySelectorAll('select')[place]?.focus()
  }

  /**
   * Changes one number of the input.
   *
   * @param {number} row
   * @param {number} column
   * @param {number} value
   */
  edit(row, column, value) {
    this.values[row][column] = value
    this.refresh()
  }

  /** Computes and shows the results anew. */
  refresh() {
    this.#compute()
    this.#result?.show(this.output)
    this.#input?.tint()
    this.#show()
    // What was said of the step is no longer so.
    this.#spoken.textContent = ''
  }

  #compute() {
    const { output } = this.#geometry
    this.output = rows(
      Array.from({ length: output * output }, (_, place) => this.compute(this.#patch(place))),
      output,
    )
  }

  /**
   * @param {number} place
   */
  #patch(place) {
    const { top, left } = this.#corner(place)
    return patchAt(this.values, this.window, top, left)
  }

  /**
   * @param {number} place
   */
  #corner(place) {
    const { output, before } = this.#geometry
    return { top: Math.floor(place / output) * this.stride - before, left: (place % output) * this.stride - before }
  }

  /** Steps by itself, again and again. */
  play() {
    this.pause()
    const playing = (this.#playing = new AbortController())
    this.#play.textContent = 'Pause'
    every(STEP, playing.signal, () => {
      this.#move(this.position + 1)
      return true
    })
  }

  pause() {
    this.#playing?.abort()
    this.#playing = undefined
    this.#play.textContent = 'Play'
  }

  /**
   * A step by the reader's own hand: it ends the play and is announced.
   *
   * @param {number} place
   */
  #choose(place) {
    this.pause()
    this.#move(place)
    const { output } = this.#geometry
    if (output > 0 && !this.root.activeElement?.matches('.steps .cell')) this.#spoken.textContent = this.#words()
  }

  /**
   * @param {number} place
   */
  #move(place) {
    const steps = this.#geometry.output ** 2
    if (steps === 0) return
    this.position = (place + steps) % steps
    this.#show()
    const { output } = this.#geometry
    const [row, column] = [Math.floor(this.position / output), this.position % output]
    this.emit('step', { row, column, value: this.output[row][column] })
  }

  #words() {
    const { output } = this.#geometry
    const [row, column] = [Math.floor(this.position / output), this.position % output]
    return `Row ${row + 1}, column ${column + 1}: ${short(this.output[row][column])}`
  }

  /** Shows the present step. */
  #show() {
    const { output } = this.#geometry
    this.#sum.style.setProperty('--lines', String(this.lines))
    if (output === 0) {
      this.#sum.replaceChildren(make('p', '', 'The window is larger than the input: no step fits.'))
      return
    }
    const { top, left } = this.#corner(this.position)
    this.#input?.cover(top, left, this.window)
    this.#result?.cover(Math.floor(this.position / output), this.position % output, 1)
    const lines = this.explain(this.#patch(this.position))
    this.#sum.replaceChildren(
      ...lines.map((line, place) => make('p', place === lines.length - 1 ? 'sum-line sum-result' : 'sum-line', line)),
    )
  }

  /** Lines to keep free for the arithmetic. */
  get lines() {
    return 2
  }
}

/**
 * The numbers in an attribute, parted by spaces or commas.
 *
 * @param {string | null} text
 */
export const numbers = (text) => (text?.match(/[-+]?[\d.]+/g) ?? []).map(Number).filter(Number.isFinite)

/**
 * @param {number[]} values
 * @param {number} length
 */
export const rows = (values, length) =>
  Array.from({ length: length && Math.floor(values.length / length) }, (_, row) =>
    values.slice(row * length, (row + 1) * length),
  )
