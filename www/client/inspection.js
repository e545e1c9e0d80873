/** What the tutor does for an inspector. */

/** @import { Network, Trainer } from '../pkg/convlet.js' */

/**
 * One question about a network and one picture. Each inspection has an id; the network holds the layers' numbers of one
 * of them, and `seen`, its tensor, brings them back where they have given way to another's.
 *
 * @typedef {{ id: number, seen?: Float32Array }} Asker
 * @typedef {object} Questions
 * @property {{ }} layers
 * @property {{ layer: number }} output
 * @property {{ layer: number, of?: WeightsOf }} weights
 * @property {{ }} learning
 * @property {{ layer: number, index: number }} arithmetic
 * @property {{ layer: number, class: number }} activation
 * @property {{ class: number }} saliency
 *
 * @typedef {'now' | 'gradients' | 'beginning'} WeightsOf the weights, what the last training step left for them, or what
 *   they were when the training began
 * @typedef {Asker & { question: keyof Questions, layer?: number, index?: number, class?: number, of?: WeightsOf }} Request
 */

/** Which inspection's picture a network holds. @type {WeakMap<Network, number>} */
const held = new WeakMap()

/**
 * @param {Network} network
 * @param {Request} request
 * @param {() => Network} [beginning] the network as its training began, where it is in one
 * @returns the answer, or undefined where the tensor has to be sent along
 */
export function inspect(network, request, beginning) {
  const { id, seen, question, layer = 0, index = 0, class: label = 0, of = 'now' } = request
  if (held.get(network) !== id) {
    if (!seen) return undefined
    network.inspect(seen)
    held.set(network, id)
  }
  switch (question) {
    case 'layers':
      return { layers: network.inspectorLayers(), lastImage: network.lastImage() }
    case 'output':
      return network.layerOutput(layer)
    case 'weights':
      return (of === 'beginning' && beginning ? beginning() : network).layerWeights(layer, of === 'gradients')
    case 'learning':
      return learning(network, beginning?.() ?? network)
    case 'arithmetic':
      return network.arithmetic(layer, index)
    case 'activation':
      return network.classActivation(layer, label)
    case 'saliency':
      return network.saliency(label)
  }
}

/**
 * For each layer three numbers: how large its weights are, their gradients, and how far they have come since the training
 * began; each a root mean square.
 *
 * @param {Network} network
 * @param {Network} beginning
 */
function learning(network, beginning) {
  return Float64Array.from(
    network.layers.flatMap((_, layer) => {
      const [now, gradients] = [network.layerWeights(layer, false), network.layerWeights(layer, true)]
      const first = beginning.layerWeights(layer, false)
      return [size(now), size(gradients), size(now.map((weight, place) => weight - first[place]))]
    }),
  )
}

/** @param {Float32Array} numbers */
function size(numbers) {
  let sum = 0
  for (const number of numbers) sum += number * number
  return Math.sqrt(sum / Math.max(1, numbers.length))
}

/** A training's network as it was when an inspection began: the training goes on meanwhile. */
export class Snapshots {
  /** Whose numbers they are. @type {number | undefined} */
  #id
  /** @type {Network | undefined} */
  #network
  /** @type {Network | undefined} */
  #beginning

  /**
   * @param {Trainer} trainer
   * @param {Request} request
   */
  inspect(trainer, request) {
    if (this.#id !== request.id) {
      if (!request.seen) return undefined
      this.#network?.free()
      this.#network = trainer.snapshot()
      this.#id = request.id
    }
    return inspect(/** @type {Network} */ (this.#network), request, () => (this.#beginning ??= trainer.beginning()))
  }

  /** Gives the memory back. */
  free() {
    this.#network?.free()
    this.#beginning?.free()
    this.#id = this.#network = this.#beginning = undefined
  }
}
