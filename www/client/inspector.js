/** @import { Classifier, Examination } from './classifier.js' */
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

let lastId = 0

/** A network at work on one picture: every layer's numbers, and how each came about. Made by `classifier.inspect`. */
export class Inspection {
  #classifier
  #id = ++lastId
  /** Whatever was asked once, by question. @type {Map<string, Promise<any>>} */
  #asked = new Map()

  /**
   * @param {Classifier} classifier
   * @param {Examination} examination
   */
  constructor(classifier, examination) {
    this.#classifier = classifier
    /** What the network says of the picture. */
    this.predictions = examination.predictions
    /** The picture as the network was given it, height x width x channels. */
    this.seen = examination.seen
    this.input = classifier.input
    this.labels = classifier.labels
    /** The layers in order. @type {Layer[]} */
    this.layers = []
    /** The layer whose maps the heat-map weighs. @type {number | undefined} */
    this.lastImage = undefined
  }

  /**
   * @param {Classifier} classifier
   * @param {PictureSource} source
   * @param {{ signal?: AbortSignal }} [options]
   */
  static async of(classifier, source, { signal } = {}) {
    const inspection = new Inspection(classifier, await classifier.examine(source, { signal }))
    const { layers, lastImage } = await inspection.#ask({ question: 'layers' }, signal)
    inspection.layers = JSON.parse(layers)
    inspection.lastImage = lastImage
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
   * @param {{ gradients?: boolean }} [options] `gradients`: what the last training step left for them, instead
   * @returns {Promise<Record<string, Float32Array>>}
   */
  async weights(layer, { gradients = false } = {}) {
    const request = { question: 'weights', layer, gradients }
    // Gradients are another's with each training step.
    const all = await (gradients ? this.#ask(request) : this.#once(request))
    let from = 0
    return Object.fromEntries(
      this.layers[layer].weights.map(({ name, shape }) => {
        const length = shape.reduce((product, size) => product * size, 1)
        return [name, all.subarray(from, (from += length))]
      }),
    )
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
   * @param {{ question: string, layer?: number, class?: number, gradients?: boolean }} request
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
   * @param {{ question: string, [argument: string]: unknown }} request
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  async #ask(request, signal) {
    const answer = await this.#classifier.ask('inspect', { ...request, id: this.#id }, { signal })
    // Another picture came between, or another worker: the tensor goes along.
    return answer ?? this.#classifier.ask('inspect', { ...request, id: this.#id, seen: this.seen }, { signal })
  }
}
