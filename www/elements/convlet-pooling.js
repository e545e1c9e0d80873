import { pool } from './support/arithmetic.js'
import { choice } from './support/dom.js'
import { define } from './support/element.js'
import { short } from './support/format.js'
import { Sliding } from './support/sliding.js'

const EXAMPLE = [
  [1, 0, 2, 3, 0, 1],
  [4, 6, 6, 8, 1, 0],
  [3, 1, 1, 0, 5, 2],
  [1, 2, 2, 4, 0, 7],
  [0, 0, 9, 1, 3, 3],
  [2, 1, 0, 0, 3, 8],
]

/**
 * `<convlet-pooling>`: a window slides over a small map and keeps the largest value, or the mean, of each patch.
 * Attributes: `values` (numbers, row by row), `mode` (max or average), `pool-size`, `size`, `stride`, `padding` (valid or
 * same). Event `step`: { row, column, value }.
 */
export class ConvletPooling extends Sliding {
  /** @override */
  static observedAttributes = [...Sliding.observedAttributes, 'mode', 'pool-size']

  /** @type {'max' | 'average'} */
  mode = 'max'
  poolSize = 2
  /** @override As Keras has it: the window's own size. */
  stride = 2

  /** @override */
  get window() {
    return this.poolSize
  }

  /** @override */
  get example() {
    return EXAMPLE
  }

  /** @override */
  read() {
    this.poolSize = this.number('pool-size', this.poolSize, 1, 4)
    super.read()
    this.mode = this.getAttribute('mode') === 'average' ? 'average' : 'max'
  }

  /**
   * @override
   * @param {(number | undefined)[][]} patch
   */
  compute(patch) {
    return pool(patch, this.mode)
  }

  /**
   * @override
   * @param {(number | undefined)[][]} patch
   */
  explain(patch) {
    const values = patch.flat().filter((value) => value !== undefined)
    const list = values.map(short)
    const line = this.mode === 'max' ? `the largest of ${list.join(', ')}` : `(${list.join(' + ')}) ÷ ${list.length}`
    const outside = patch.flat().length - values.length
    const note = outside > 0 ? ` (of the window, ${outside} outside the picture ${outside === 1 ? 'does' : 'do'} not count)` : ''
    return [line + note, `= ${short(this.compute(patch))}`]
  }

  /** @override */
  more() {
    const keep = choice('Keeps the', ['max', 'average'], this.mode, (mode) => {
      this.mode = mode === 'average' ? 'average' : 'max'
      this.refresh()
    })
    const size = choice('Window', ['2', '3'], String(this.poolSize), (size) => {
      this.poolSize = Number(size)
      this.rebuild()
    })
    return { grids: [], controls: [size, keep] }
  }
}

define('convlet-pooling', ConvletPooling)
