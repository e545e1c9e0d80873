/** What takes the whole engine, over the service's wasm instance: training and explaining. */
import { Network, Trainer } from '../pkg/convlet.js'
import { ConvletError } from './errors.js'
import { inspect, Snapshots } from './inspection.js'

/** @import { Request } from './inspection.js' */
/** @import { Picture } from './pixels.js' */
/** @import { Classification, Service } from './service.js' */

/**
 * @typedef {{ handle: number, name: string, bytes?: Uint8Array, architecture?: string, labels: string[],
 *   validationSplit: number }} Opening a model file's bytes, or a network as Keras's JSON
 * @typedef {{ [option: string]: any }} Recipe every choice of a training, under Rust's names
 * @typedef {{ pixels: Uint8Array, label: number, validation: boolean }} Example a picture at the input's size
 * @typedef {ReturnType<Trainer['advance']>} Piece
 */

/** Answers in slices: between two, the worker does what else it is asked. */
export class Tutor {
  #service
  /** By the handle the engine gave them. @type {Map<number, Trainer>} */
  #trainers = new Map()
  /** What inspectors look at, by the trainer's handle. @type {Map<number, Snapshots>} */
  #snapshots = new Map()

  /** @param {Service} service */
  constructor(service) {
    this.#service = service
  }

  /** @param {number} handle */
  #trainer(handle) {
    const trainer = this.#trainers.get(handle)
    if (!trainer) throw new ConvletError('argument', 'trainer: it was disposed of')
    return trainer
  }

  /** @param {Opening} request */
  openTrainer({ handle, name, bytes, architecture = '', labels, validationSplit }) {
    const trainer = bytes
      ? Trainer.fromBytes(bytes, name, labels, validationSplit)
      : Trainer.fromArchitecture(architecture, labels, validationSplit)
    this.closeTrainer({ handle })
    this.#trainers.set(handle, trainer)
    return { input: trainer.input, parameters: trainer.countParams() }
  }

  /** @param {{ handle: number }} request */
  closeTrainer({ handle }) {
    this.#forgetSnapshots(handle)
    this.#trainers.get(handle)?.free()
    this.#trainers.delete(handle)
  }

  /** @param {{ depth: 'head' | 'whole' | 'scratch', examples: number }} request */
  defaults({ depth, examples }) {
    return Trainer.defaults(String(depth), examples)
  }

  /**
   * What a network would be.
   *
   * @param {{ architecture: string }} request
   */
  summarize({ architecture }) {
    const network = Network.fromArchitecture(architecture, 0)
    try {
      return { parameters: network.countParams(), layers: network.layers }
    } finally {
      network.free()
    }
  }

  /**
   * Adds a picture, and gives it back as it is kept.
   *
   * @param {{ handle: number, picture: Picture, label: number, validation?: boolean, index: number }} request
   * @returns {Example}
   */
  addPicture({ handle, picture, label, validation, index }) {
    const trainer = this.#trainer(handle)
    const { width, height } = picture
    this.#service.bringIn(trainer, picture)
    const isHeldBack = trainer.addPixels(width, height, label, validation)
    return { pixels: trainer.example(index) ?? new Uint8Array(), label, validation: isHeldBack }
  }

  /** @param {{ handle: number, examples: Example[] }} request */
  addExamples({ handle, examples }) {
    const trainer = this.#trainer(handle)
    for (const { pixels, label, validation } of examples) trainer.addExample(pixels, label, validation)
  }

  /** @param {{ handle: number, index: number }} request */
  removeExample({ handle, index }) {
    this.#trainer(handle).removeExample(index)
  }

  /** @param {{ handle: number, index: number, label: number }} request */
  relabel({ handle, index, label }) {
    this.#trainer(handle).relabel(index, label)
  }

  /**
   * Gives all that was chosen.
   *
   * @param {{ handle: number, depth: string, options: Recipe, checkpoint?: Uint8Array }} request
   * @returns {Recipe}
   */
  begin({ handle, depth, options, checkpoint }) {
    this.#forgetSnapshots(handle)
    return this.#trainer(handle).begin(String(depth), JSON.stringify(options), checkpoint)
  }

  /**
   * Works for some milliseconds, at most to the end of an epoch. Gives the last piece of work.
   *
   * @param {{ handle: number, milliseconds: number }} request
   * @returns {Piece}
   */
  advance({ handle, milliseconds }) {
    const trainer = this.#trainer(handle)
    const until = performance.now() + milliseconds
    let piece
    do piece = trainer.advance()
    while (piece.phase !== 'epoch' && piece.phase !== 'end' && performance.now() < until)
    return piece
  }

  /** @param {{ handle: number }} request */
  finish({ handle }) {
    this.#trainer(handle).finish()
  }

  /** @param {{ handle: number }} request */
  checkpoint({ handle }) {
    return this.#trainer(handle).checkpoint()
  }

  /**
   * @param {{ handle: number, picture: Picture }} request
   * @returns {Classification}
   */
  examine({ handle, picture }) {
    const trainer = this.#trainer(handle)
    const { width, height } = picture
    const began = performance.now()
    this.#service.bringIn(trainer, picture)
    const copied = performance.now()
    const probabilities = Float32Array.from(trainer.classifyPixels(width, height))
    const ended = performance.now()
    return {
      probabilities,
      noneOfThese: undefined,
      seen: Float32Array.from(trainer.seen()),
      milliseconds: { pixels: copied - began, network: ended - copied },
    }
  }

  /**
   * Answers an inspector of a network that is opened.
   *
   * @param {Request & { handle: number }} request
   */
  inspect({ handle, ...request }) {
    return inspect(/** @type {Network} */ (this.#service.network(handle, 'inspect')), request)
  }

  /**
   * Answers an inspector of the network in training.
   *
   * @param {Request & { handle: number }} request
   */
  look({ handle, ...request }) {
    const trainer = this.#trainer(handle)
    let snapshots = this.#snapshots.get(handle)
    if (!snapshots) this.#snapshots.set(handle, (snapshots = new Snapshots()))
    return snapshots.inspect(trainer, request)
  }

  /** @param {number} handle */
  #forgetSnapshots(handle) {
    this.#snapshots.get(handle)?.free()
    this.#snapshots.delete(handle)
  }

  /** @param {{ handle: number }} request */
  evaluate({ handle }) {
    const { predictions, ...evaluation } = this.#trainer(handle).evaluate()
    const classes = evaluation.confusion.length
    const row = (/** @type {number} */ index) => predictions.slice(index * classes, (index + 1) * classes)
    return { ...evaluation, predictions: evaluation.indices.map((_, index) => row(index)) }
  }

  /**
   * Augmented selves of a picture: tensors, one after the other.
   *
   * @param {{ handle: number, picture: Picture, augment: Recipe, seed: number, count: number }} request
   */
  preview({ handle, picture, augment, seed, count }) {
    const trainer = this.#trainer(handle)
    const { width, height } = picture
    this.#service.bringIn(trainer, picture)
    return trainer.previewPixels(width, height, JSON.stringify(augment), seed, count)
  }

  /** @param {{ handle: number }} request */
  save({ handle }) {
    return this.#trainer(handle).save()
  }
}
