import { rank } from './classifier.js'

/** @import { Classifier, Examination } from './classifier.js' */
/** @import { Request, WeightsOf } from './inspection.js' */
/** @import { PictureSource } from './pixels.js' */

/**
 * @typedef {object} Layer
 * @property {string} name the layer's own
 * @property {string} className Keras's
 * @property {Record<string, any>} config Keras's
 * @property {number[]} inputs the layers it reads, by number; -1 is the picture
 * @property {number[]} outputShape
 * @property {{ name: string, shape: number[] }[]} weights
 */

/**
 * One number that a layer read, and what it counts.
 *
 * @typedef {object} Term
 * @property {number} input which of the layer's inputs
 * @property {number} index where in it, (H, W, C) in a row; -1 on the padding
 * @property {number} value
 * @property {number} weight
 */

/**
 * How one number of a layer's output came about.
 *
 * @typedef {object} Arithmetic
 * @property {'sum' | 'max' | 'mean'} rule
 * @property {number} bias
 * @property {number} total before the activation
 * @property {number} output after it: the number in the map
 * @property {Term[]} terms
 */

/** @typedef {{ values: Float32Array, width: number, height: number }} HeatMap */

/**
 * How large a layer's weights are, their gradients in the last training step, and how far they have come since the
 * training began; each a root mean square.
 *
 * @typedef {{ weights: number, gradients: number, moved: number }} Learning
 */

/**
 * The network that an inspection asks.
 *
 * @typedef {object} Inspected
 * @property {string[]} labels
 * @property {Classifier['input']} input
 * @property {boolean} isLearning whether it is one in training
 * @property {(source: PictureSource, options: { signal?: AbortSignal }) => Promise<Examination>} examine
 * @property {(request: Request, options: { signal?: AbortSignal }) => Promise<any>} question
 */

let lastId = 0

/**
 * A network at work on one picture: every layer's numbers, and how each came about. Made by `classifier.inspect`, or by
 * `trainer.inspect` of the network as it is at that moment.
 */
export class Inspection {
  #inspected
  #id = ++lastId
  /** Whatever was asked once, by question. @type {Map<string, Promise<any>>} */
  #asked = new Map()

  /**
   * @param {Inspected} inspected
   * @param {Examination} examination
   */
  constructor(inspected, examination) {
    this.#inspected = inspected
    /** What the network says of the picture. */
    this.predictions = examination.predictions
    /** The picture as the network was given it, height x width x channels. */
    this.seen = examination.seen
    this.input = inspected.input
    this.labels = inspected.labels
    /** Whether the network is in training: its weights have gradients then, and a beginning. */
    this.isLearning = inspected.isLearning
    /** The layers in order. @type {Layer[]} */
    this.layers = []
    /** The layer whose maps the heat-map weighs. @type {number | undefined} */
    this.lastImage = undefined
  }

  /**
   * @param {Inspected} inspected
   * @param {PictureSource} source
   * @param {{ signal?: AbortSignal }} [options]
   */
  static async of(inspected, source, { signal } = {}) {
    const inspection = new Inspection(inspected, await inspected.examine(source, { signal }))
    const { layers, lastImage } = await inspection.#ask({ question: 'layers' }, signal)
    inspection.layers = JSON.parse(layers)
    inspection.lastImage = lastImage
    // A step may have been taken since it was examined.
    if (inspected.isLearning) inspection.predictions = rank(inspected.labels, await inspection.output(inspection.layers.length - 1))
    return inspection
  }

  /**
   * The shape of what flows: of the picture for -1, else of a layer's output. What has no height and width is one row.
   *
   * @param {number} layer
   */
  shape(layer) {
    const { height, width, channels } = this.input
    const shape = layer < 0 ? [height, width, channels] : this.layers[layer].outputShape
    return shape.length === 3 ? shape : [1, 1, shape.reduce((product, size) => product * size, 1)]
  }

  /**
   * What a layer put out; the picture for -1.
   *
   * @param {number} layer
   * @returns {Promise<Float32Array>}
   */
  output(layer) {
    return layer < 0 ? Promise.resolve(this.seen) : this.#once({ question: 'output', layer })
  }

  /**
   * A layer's weights by name, each in Keras's order.
   *
   * @param {number} layer
   * @param {{ of?: WeightsOf }} [options] `gradients`: what the last training step left for them instead; `beginning`:
   *   what they were when the training began
   * @returns {Promise<Record<string, Float32Array>>}
   */
  async weights(layer, { of = 'now' } = {}) {
    const all = await this.#once({ question: 'weights', layer, of })
    let from = 0
    return Object.fromEntries(
      this.layers[layer].weights.map(({ name, shape }) => {
        const length = shape.reduce((product, size) => product * size, 1)
        return [name, all.subarray(from, (from += length))]
      }),
    )
  }

  /**
   * How each layer learns.
   *
   * @returns {Promise<Learning[]>}
   */
  async learning() {
    /** @type {Float64Array} */
    const numbers = await this.#once({ question: 'learning' })
    return this.layers.map((_, layer) => {
      const [weights, gradients, moved] = numbers.subarray(layer * 3)
      return { weights, gradients, moved }
    })
  }

  /**
   * How number `index` of a layer's output came about.
   *
   * @param {number} layer
   * @param {number} index
   * @returns {Promise<Arithmetic>}
   */
  async arithmetic(layer, index) {
    /** @type {Float64Array} */
    const numbers = await this.#ask({ question: 'arithmetic', layer, index })
    const [rule, bias, total, output] = numbers
    const terms = Array.from({ length: numbers.length / 4 - 1 }, (_, place) => {
      const at = 4 + place * 4
      return { input: numbers[at], index: numbers[at + 1], value: numbers[at + 2], weight: numbers[at + 3] }
    })
    return { rule: /** @type {const} */ (['sum', 'max', 'mean'])[rule], bias, total, output, terms }
  }

  /**
   * Where the network looked for a class: `activation` is Grad-CAM on the last convolution's maps, `saliency` the
   * gradient at the picture itself.
   *
   * @param {'activation' | 'saliency'} kind
   * @param {number} label the class's place among the labels
   * @returns {Promise<HeatMap>}
   */
  async heatMap(kind, label) {
    const layer = kind === 'activation' ? (this.lastImage ?? 0) : -1
    const values = await this.#once({ question: kind, layer, class: label })
    const [height, width] = this.shape(layer)
    return { values, width, height }
  }

  /**
   * @param {Omit<Request, 'id' | 'seen'>} request
   * @returns {Promise<any>}
   */
  #once(request) {
    const key = JSON.stringify(request)
    let asked = this.#asked.get(key)
    if (!asked) {
      asked = this.#ask(request)
      this.#asked.set(key, asked)
      asked.catch(() => this.#asked.delete(key))
    }
    return asked
  }

  /**
   * @param {Omit<Request, 'id' | 'seen'>} request
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  async #ask(request, signal) {
    const own = { ...request, id: this.#id }
    const answer = await this.#inspected.question(own, { signal })
    // Another picture came between, or another worker: the tensor goes along.
    return answer ?? this.#inspected.question({ ...own, seen: this.seen }, { signal })
  }
}
