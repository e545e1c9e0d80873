import { ConvletError } from './errors.js'
import { copyPixels, secrecy } from './pixels.js'

/** @import { Network } from '../pkg/classifier.js' */
/** @import { Picture } from './pixels.js' */

/**
 * What a service needs of the script that speaks to the engine, of the whole or of its part.
 *
 * @typedef {object} Glue
 * @property {(source: { module_or_path: WebAssembly.Module }) => Promise<{ memory: WebAssembly.Memory }>} default
 * @property {{ fromBytes(bytes: Uint8Array, name: string): Reader }} Network
 *
 * @typedef {'labels' | 'input' | 'countParams' | 'summary' | 'layers' | 'training'} Described
 * @typedef {'pixels' | 'classifyPixels' | 'noneOfThese' | 'seen' | 'free'} Used
 * @typedef {Pick<Network, Described | Used>} Reader a network that classifies
 */

/**
 * What a model file says of itself.
 *
 * @typedef {object} Description
 * @property {string[]} labels one name an output, in the order of the probabilities
 * @property {Network['input']} input what the network sees of a picture: its size, and the factor from bytes to values
 * @property {number} parameters trained and fixed weights together
 * @property {string} summary Keras's table of layers
 * @property {Network['layers']} layers the rows of that table
 * @property {Network['training']} training how the network was trained, as its file tells: free in form
 */

/**
 * One picture, classified.
 *
 * @typedef {object} Classification
 * @property {Float32Array} probabilities one a label
 * @property {boolean | undefined} noneOfThese whether the picture is unlike all that the network knows, if it can tell
 * @property {Float32Array} seen the tensor the network was given, height x width x channels
 * @property {{ pixels: number, network: number }} milliseconds bringing the pixels in; resizing and the forward pass
 */

/** Pages of 64 KiB: as much as a picture of a phone's camera takes. */
const PROBE = 1024

/** What either part of the engine can do, over one wasm instance; the tutor has what takes the whole. */
export class Service {
  /** The networks in wasm memory, by the handle the engine gave them. @type {Map<number, Reader>} */
  #networks = new Map()
  #engine
  /** Wasm's memory: a view of it dies when it grows, so each use takes a fresh one. @type {WebAssembly.Memory} */
  #memory

  /**
   * @param {Glue} engine
   * @param {WebAssembly.Memory} memory
   */
  constructor(engine, memory) {
    this.#engine = engine
    this.#memory = memory
  }

  /**
   * @param {Glue} engine
   * @param {WebAssembly.Module} module
   */
  static async start(engine, module) {
    const { memory } = await engine.default({ module_or_path: module })
    return new Service(engine, memory)
  }

  /** Bytes of wasm memory; it never shrinks. */
  get memory() {
    return this.#memory.buffer.byteLength
  }

  /** Whether no more memory can be had. Asking takes some: only where the engine is to be replaced anyway. */
  get isFull() {
    try {
      this.#memory.grow(PROBE)
      return false
    } catch {
      return true
    }
  }

  /**
   * Brings a picture's pixels to where `receiver` wants them in wasm memory.
   *
   * @param {{ pixels(width: number, height: number): number }} receiver
   * @param {Picture} picture
   */
  bringIn(receiver, picture) {
    const { width, height } = picture
    const pointer = receiver.pixels(width, height)
    try {
      copyPixels(picture, new Uint8ClampedArray(this.#memory.buffer, pointer, width * height * 4))
    } catch (thrown) {
      throw secrecy(thrown)
    }
    if ('close' in picture) picture.close()
  }

  /**
   * @param {{ handle: number, bytes: Uint8Array, name: string }} request
   * @returns {Description}
   */
  open({ handle, bytes, name }) {
    const network = this.#engine.Network.fromBytes(bytes, name)
    this.close({ handle })
    this.#networks.set(handle, network)
    return {
      labels: network.labels,
      input: network.input,
      parameters: network.countParams(),
      summary: network.summary(),
      layers: network.layers,
      training: network.training,
    }
  }

  /**
   * @param {{ handle: number, picture: Picture }} request
   * @returns {Classification}
   */
  classify({ handle, picture }) {
    const network = this.network(handle, 'classify')
    const { width, height } = picture
    const began = performance.now()
    this.bringIn(network, picture)
    const copied = performance.now()
    const probabilities = network.classifyPixels(width, height)
    const ended = performance.now()
    return {
      probabilities,
      noneOfThese: network.noneOfThese(),
      seen: network.seen(),
      milliseconds: { pixels: copied - began, network: ended - copied },
    }
  }

  /**
   * @param {number} handle
   * @param {string} operation
   */
  network(handle, operation) {
    const network = this.#networks.get(handle)
    if (!network) throw new ConvletError('argument', `${operation}: the classifier was disposed of`)
    return network
  }

  /**
   * @param {{ handle: number }} request
   */
  close({ handle }) {
    this.#networks.get(handle)?.free()
    this.#networks.delete(handle)
  }
}
