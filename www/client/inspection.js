/** What the service does for an inspector; loaded in the worker when the first one asks. */

/** @import { Network } from '../pkg/convlet.js' */

/**
 * One question about a network and one picture. Each inspection has an id; the network holds the layers' numbers of one
 * of them, and `seen`, its tensor, brings them back where they have given way to another's.
 *
 * @typedef {{ id: number, seen?: Float32Array }} Asker
 * @typedef {object} Questions
 * @property {{ }} layers
 * @property {{ layer: number }} output
 * @property {{ layer: number, gradients?: boolean }} weights
 * @property {{ layer: number, index: number }} arithmetic
 * @property {{ layer: number, class: number }} activation
 * @property {{ class: number }} saliency
 */

/** Which inspection's picture a network holds. @type {WeakMap<Network, number>} */
const held = new WeakMap()

/**
 * @param {Network} network
 * @param {Asker & { question: keyof Questions, layer?: number, index?: number, class?: number, gradients?: boolean }} request
 * @returns the answer, or undefined where the tensor has to be sent along
 */
export function inspect(network, { id, seen, question, layer = 0, index = 0, class: label = 0, gradients = false }) {
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
      return network.layerWeights(layer, gradients)
    case 'arithmetic':
      return network.arithmetic(layer, index)
    case 'activation':
      return network.classActivation(layer, label)
    case 'saliency':
      return network.saliency(label)
  }
}
