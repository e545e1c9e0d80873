import { Engine } from './engine.js'
import { ConvletError, messageOf } from './errors.js'
import { fetchBytes, fileName } from './fetch.js'
import { checkIntegrity } from './integrity.js'
import { pictureOf, secrecy } from './pixels.js'
import { TrapError } from './port.js'

/** @import { Progress } from './fetch.js' */
/** @import { Picture, PictureSource } from './pixels.js' */
/** @import { Operations } from './port.js' */
/** @import { Classification, Description } from './service.js' */

/**
 * How a model file is read. `integrity` is a hash as in an element's `integrity` attribute, `sha256-...`: any other file
 * is refused.
 *
 * @typedef {{ signal?: AbortSignal, onProgress?: (progress: Progress) => void, integrity?: string }} ReadOptions
 * @typedef {{ label: string, confidence: number }} Prediction
 * @typedef {Classification & { predictions: Prediction[] }} Examination
 */

/** A network that tells pictures apart. `load` hands back one that works, or rejects. */
export class Classifier {
  /** Where the engine keeps the network; undefined once disposed of. @type {number | undefined} */
  #handle
  #engine

  /**
   * @param {Engine} engine
   * @param {number} handle
   * @param {Description & { name: string, size: number }} facts
   */
  constructor(engine, handle, facts) {
    this.#engine = engine
    this.#handle = handle
    /** The model file's name. */
    this.name = facts.name
    /** The model file's bytes. */
    this.size = facts.size
    this.labels = facts.labels
    this.input = facts.input
    this.parameters = facts.parameters
    this.summary = facts.summary
    this.layers = facts.layers
    this.training = facts.training
  }

  /**
   * Loads a model file: by address, or one that is already here.
   *
   * @param {string | URL | Blob | Uint8Array<ArrayBuffer>} source
   * @param {ReadOptions & { deterministic?: boolean, inspect?: boolean }} [options] `deterministic`: the same bits on
   *   every machine, at some cost of speed; `inspect`: it will be looked into, which takes the whole engine: not first the
   *   part that only classifies
   */
  static async load(source, { deterministic, inspect, ...options } = {}) {
    const engine = Engine.for({ deterministic })
    engine.warmUp({ whole: inspect })
    const { name, bytes } = await read(source, options)
    if (options.integrity) await checkIntegrity(bytes, options.integrity, name)
    const { handle, description } = await engine.open(bytes, name, { signal: options.signal })
    return new Classifier(engine, handle, { ...description, name, size: bytes.length })
  }

  /**
   * What the picture shows, most likely first.
   *
   * @param {PictureSource} source
   * @param {{ topK?: number, signal?: AbortSignal }} [options] `topK` answers instead of all
   * @returns {Promise<Prediction[]>}
   */
  async classify(source, { topK, signal } = {}) {
    return (await this.examine(source, { signal })).predictions.slice(0, topK)
  }

  /**
   * As `classify`, with what the network saw and how long it took.
   *
   * @param {PictureSource} source
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<Examination>}
   */
  async examine(source, { signal } = {}) {
    signal?.throwIfAborted()
    const classification = await askAbout(source, (picture, transfer) =>
      this.ask('classify', { picture }, { signal, transfer }),
    ).catch((thrown) => {
      throw secrecy(thrown)
    })
    return { ...classification, predictions: rank(this.labels, classification.probabilities) }
  }

  /**
   * The network at work on the picture, layer by layer.
   *
   * @param {PictureSource} source
   * @param {{ signal?: AbortSignal }} [options]
   */
  async inspect(source, options) {
    const { Inspection } = await import('./inspector.js')
    return Inspection.of(
      {
        ...{ labels: this.labels, input: this.input, isLearning: false },
        examine: (source, options) => this.examine(source, options),
        question: (request, options) => this.ask('inspect', request, options),
      },
      source,
      options,
    )
  }

  /**
   * An operation of the service on this network.
   *
   * @template {'classify' | 'inspect'} Name
   * @param {Name} operation
   * @param {Omit<Parameters<Operations[Name]>[0], 'handle'>} argument
   * @param {{ signal?: AbortSignal, transfer?: Transferable[] }} [options]
   * @returns {Promise<Awaited<ReturnType<Operations[Name]>>>}
   */
  ask(operation, argument, options) {
    const request = /** @type {Parameters<Operations[Name]>[0]} */ ({ ...argument, handle: this.#handle ?? 0 })
    return this.#engine.call(operation, request, options)
  }

  /** Gives the network's memory back. */
  async dispose() {
    const handle = this.#handle
    this.#handle = undefined
    if (handle !== undefined) await this.#engine.close(handle)
  }
}

/**
 * The bytes of a model file, and what messages call it.
 *
 * @param {string | URL | Blob | Uint8Array<ArrayBuffer>} source
 * @param {ReadOptions} options
 */
export async function read(source, options) {
  if (source instanceof Blob) return readBlob(source)
  if (source instanceof Uint8Array) return { name: 'the model', bytes: source }
  return { name: fileName(source), bytes: await fetchBytes(source, options) }
}

/**
 * @param {Blob} blob
 */
async function readBlob(blob) {
  const name = (blob instanceof File && blob.name) || 'the file'
  try {
    return { name, bytes: new Uint8Array(await blob.arrayBuffer()) }
  } catch (thrown) {
    throw new ConvletError('io', `${name}: cannot be read (${messageOf(thrown)})`, { cause: thrown })
  }
}

/**
 * Asks about a picture; where the engine dies over it, once more with a fresh copy, as the first went with the worker.
 *
 * @template Answer
 * @param {PictureSource} source
 * @param {(picture: Picture, transfer: Transferable[]) => Promise<Answer>} ask
 */
export async function askAbout(source, ask, decoding = pictureOf(source)) {
  const picture = await decoding
  if (!('close' in picture)) return ask(picture, [])
  return ask(picture, [picture]).catch(async (thrown) => {
    if (!(thrown instanceof TrapError)) throw thrown
    const again = await pictureOf(source)
    return ask(again, 'close' in again ? [again] : [])
  })
}

/**
 * @param {string[]} labels
 * @param {Float32Array} probabilities
 * @returns {Prediction[]}
 */
export function rank(labels, probabilities) {
  return labels
    .map((label, index) => ({ label, confidence: probabilities[index] }))
    .sort((a, b) => b.confidence - a.confidence)
}
