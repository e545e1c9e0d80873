import { convolve } from './support/arithmetic.js'
import { choice } from './support/dom.js'
import { define } from './support/element.js'
import { short } from './support/format.js'
import { Grid } from './support/grid.js'
import { numbers, rows, Sliding } from './support/sliding.js'

/** Kernels worth trying, by what they find or do. @type {{ [name: string]: number[] }} */
const KERNELS = {
  'upright edges': [-1, 0, 1, -1, 0, 1, -1, 0, 1],
  'level edges': [-1, -1, -1, 0, 0, 0, 1, 1, 1],
  'all edges': [-1, -1, -1, -1, 8, -1, -1, -1, -1],
  blur: [0.11, 0.11, 0.11, 0.11, 0.11, 0.11, 0.11, 0.11, 0.11],
  sharpen: [0, -1, 0, -1, 5, -1, 0, -1, 0],
  identity: [0, 0, 0, 0, 1, 0, 0, 0, 0],
}

/** An L of light on dark ground. */
const EXAMPLE = [
  [0, 0, 0, 0, 0, 0],
  [0, 9, 9, 0, 0, 0],
  [0, 9, 9, 0, 0, 0],
  [0, 9, 9, 0, 0, 0],
  [0, 9, 9, 9, 9, 0],
  [0, 9, 9, 9, 9, 0],
]

/**
 * `<convlet-convolution>`: a kernel slides over a small picture, both to be edited, and the sum of each step is written
 * out. Attributes: `values` and `kernel` (numbers, row by row; `kernel` may name one of the kernels offered), `size`,
 * `stride`, `padding` (valid or same). Event `step`: { row, column, value }.
 */
export class ConvletConvolution extends Sliding {
  /** @override */
  static observedAttributes = [...Sliding.observedAttributes, 'kernel']

  /** @type {number[][]} */
  kernel = rows(KERNELS['upright edges'], 3)
  #name = 'upright edges'

  /** @override */
  get window() {
    return this.kernel.length
  }

  /** @override */
  get example() {
    return EXAMPLE
  }

  /** @override */
  get lines() {
    return this.window + 1
  }

  /** @override */
  read() {
    super.read()
    const given = this.getAttribute('kernel') ?? this.#name
    const values = KERNELS[given] ?? numbers(given)
    const side = Math.floor(Math.sqrt(values.length))
    if (side > 0) this.kernel = rows(values.slice(0, side * side), side)
    this.#name = given in KERNELS ? given : 'my own'
  }

  /**
   * @override
   * @param {(number | undefined)[][]} patch
   */
  compute(patch) {
    return convolve(patch, this.kernel)
  }

  /**
   * @override
   * @param {(number | undefined)[][]} patch
   */
  explain(patch) {
    const lines = patch.map((values, row) => {
      const products = values.map((value, column) => `${short(value ?? 0)} × ${short(this.kernel[row][column])}`)
      return `${row === 0 ? '' : '+ '}${products.join(' + ')}`
    })
    return [...lines, `= ${short(this.compute(patch))}`]
  }

  /** @override */
  more() {
    const grid = new Grid(this.kernel, {
      title: 'Kernel',
      kind: 'editable',
      onEdit: (row, column, value) => {
        if (this.kernel[row][column] === value) return
        this.kernel[row][column] = value
        this.#name = 'my own'
        pick.querySelectorAll('select').forEach((select) => (select.value = 'my own'))
        grid.tint()
        this.refresh()
      },
    })
    const pick = choice('Choose a kernel', [...Object.keys(KERNELS), 'my own'], this.#name, (name) => {
      if (!KERNELS[name]) return
      this.#name = name
      const before = this.kernel.length
      this.kernel = rows(KERNELS[name], 3)
      if (before !== 3) return this.rebuild()
      grid.show(this.kernel)
      this.refresh()
    })
    return { grids: [grid.element], controls: [pick] }
  }
}

define('convlet-convolution', ConvletConvolution)
