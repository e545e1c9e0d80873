import { askAbout, Classifier, rank, read } from './classifier.js'
import { Clock } from './clock.js'
import { Engine } from './engine.js'
import { ConvletError } from './errors.js'
import { pictureOf } from './pixels.js'
import { TrapError } from './port.js'
import { augmentToRust, fromRust, toRust } from './recipe.js'

/** @import { Examination } from './classifier.js' */
/** @import { PictureSource } from './pixels.js' */
/** @import { Augment, TrainOptions } from './recipe.js' */
/** @import { Example, Opening, Piece, Recipe } from './tutor.js' */

/**
 * @typedef {'head' | 'whole' | 'scratch'} Depth how much learns: the last layer, every layer, every layer from fresh
 *   weights
 * @typedef {{ loss: number, accuracy: number, val_loss?: number, val_accuracy?: number }} Logs
 *
 * @typedef {object} TrainerOptions
 * @property {string | URL | Blob | Uint8Array<ArrayBuffer> | { architecture: object | string }} base a model file, or
 *   Keras's JSON of a network to be trained from scratch
 * @property {string[]} labels the network gets a softmax output for each, be they two
 * @property {Depth} [depth] 'head' if left out
 * @property {TrainOptions} [options]
 * @property {boolean} [deterministic] the same bits on every machine, at some cost of speed
 * @property {AbortSignal} [signal]
 *
 * @typedef {object} TrainProgress
 * @property {'prepare' | 'step'} phase what the frozen layers make of the pictures is computed first
 * @property {number} epoch from 0
 * @property {number} epochs
 * @property {number} done pictures of the epoch, or prepared
 * @property {number} total
 * @property {Logs} [logs] of the epoch so far
 * @property {number | undefined} secondsLeft an estimate, once there is one
 *
 * @typedef {object} TrainCallbacks
 * @property {AbortSignal} [signal] gives the training up: `train` rejects with its reason
 * @property {(progress: TrainProgress) => void} [onStep]
 * @property {(epoch: number, logs: Logs) => void | Promise<void>} [onEpochEnd] the training waits for it
 * @property {(checkpoint: Uint8Array) => void | Promise<void>} [onCheckpoint] as often as checkpoints are taken
 * @property {number} [checkpointEvery] milliseconds between two, if a training lasts so long; 1,000 if left out
 */

/** Milliseconds that the worker trains before it looks what else it is asked: a last step may go beyond. */
const SLICE = 20
/** Milliseconds from one checkpoint to the next: each is megabytes, and what is lost is trained again to the same bits. */
const CHECKPOINT_EVERY = 1000
/** Bytes of wasm memory that a training may take: pictures, what the frozen layers make of them, steps. */
const MEMORY = 768 * 2 ** 20
/** Examples brought back at a time. */
const AT_A_TIME = 256
/** Workers that may fail in a row, with no work done between, before the training does. */
const MAX_FAILURES = 3
const VALIDATION_SPLIT = 0.15

/** @typedef {'idle' | 'running' | 'paused' | 'stopping'} TrainerState */

/**
 * Teaches a network the classes of the visitor's pictures. It works in the engine's worker, in slices, and outlives it:
 * the examples and the last checkpoint are on this side.
 */
export class Trainer {
  #engine
  #handle
  /** What it was opened with. @type {Opening} */
  #opening
  #depth
  /** @type {TrainOptions} */
  #options
  /** In the order of their indices. @type {Example[]} */
  #examples = []
  /** The choices of the training under way or done. @type {Recipe | undefined} */
  #recipe
  /** The training as of some moment. @type {Uint8Array | undefined} */
  #checkpoint
  /** Whether the training begun is over. */
  #isDone = false
  /** @type {TrainerState} */
  #state = 'idle'
  /** Ends a pause. */
  #wake = () => {}
  #isDisposed = false

  /**
   * @param {Engine} engine
   * @param {Opening} opening
   * @param {{ input: import('../pkg/convlet.js').Trainer['input'], parameters: number }} facts
   * @param {Depth} depth
   * @param {TrainOptions} options
   */
  constructor(engine, opening, facts, depth, options) {
    this.#engine = engine
    this.#handle = opening.handle
    this.#opening = opening
    this.#depth = depth
    this.#options = options
    this.labels = opening.labels
    /** What the network takes of a picture. */
    this.input = facts.input
    /** Weights of the whole network. */
    this.parameters = facts.parameters
    engine.keep(this.#handle, { replay: () => this.#replay(), memory: MEMORY })
  }

  /** @param {TrainerOptions} options */
  static async create({ base, labels, depth = 'head', options = {}, deterministic, signal }) {
    const engine = Engine.for({ deterministic })
    engine.warmUp({ whole: true })
    const { validationSplit = VALIDATION_SPLIT } = options
    const opening = { handle: engine.newHandle(), labels: [...labels], validationSplit, ...(await opened(base, signal)) }
    const facts = await engine.call('openTrainer', opening, { signal }).catch((thrown) => {
      // Where the caller gave up, the worker may open it all the same.
      if (signal?.aborted) engine.call('closeTrainer', { handle: opening.handle }).catch(() => {})
      throw thrown
    })
    return new Trainer(engine, opening, facts, depth, options)
  }

  /**
   * A trainer that goes on from a checkpoint, once it has the very same examples, in the same order, by `addExample`:
   * `train` then ends in the same weights as if it had never been interrupted, to the last bit in the strict build.
   *
   * @param {Uint8Array} checkpoint
   * @param {TrainerOptions} options those of `create`
   */
  static async resume(checkpoint, options) {
    const trainer = await Trainer.create(options)
    trainer.#checkpoint = checkpoint
    return trainer
  }

  /**
   * What is chosen for a number of training examples, where `options` does not say.
   *
   * @param {Depth} depth
   * @param {{ examples?: number, deterministic?: boolean }} [options] `deterministic`: the engine to ask
   * @returns {Promise<Required<TrainOptions>>}
   */
  static async defaults(depth, { examples = 0, deterministic } = {}) {
    const { depth: _, ...recipe } = fromRust(await Engine.for({ deterministic }).call('defaults', { depth, examples }))
    return /** @type {any} */ ({ ...recipe, validationSplit: VALIDATION_SPLIT })
  }

  /**
   * The layers of a network that has no weights yet, or why it cannot be built.
   *
   * @param {object | string} architecture Keras's JSON
   * @param {{ deterministic?: boolean }} [options] the engine to ask
   */
  static summarize(architecture, { deterministic } = {}) {
    return Engine.for({ deterministic }).call('summarize', { architecture: jsonOf(architecture) })
  }

  /**
   * Adds a picture. Unless `split` says so, every so many of a class are held back to measure on.
   *
   * @param {PictureSource} source
   * @param {string} label
   * @param {{ split?: 'training' | 'validation', signal?: AbortSignal }} [options]
   * @returns {Promise<{ index: number, split: 'training' | 'validation' }>}
   */
  async addExample(source, label, { split, signal } = {}) {
    const validation = split && split === 'validation'
    const number = this.#labelNumber(label)
    // Pictures are decoded side by side, and take their places in the order they were given.
    const decoding = pictureOf(source)
    decoding.catch(() => {})
    return this.#inTurn(async () => {
      const index = this.#examples.length
      const request = { handle: this.#handle, label: number, validation, index }
      const example = await askAbout(
        source,
        (picture, transfer) => this.#engine.call('addPicture', { ...request, picture }, { signal, transfer }),
        decoding,
      )
      this.#examples.push(example)
      return { index, split: example.validation ? 'validation' : 'training' }
    })
  }

  /**
   * Takes an example away; those after it move up. A training under way ends with the weights it has.
   *
   * @param {number} index
   */
  removeExample(index) {
    return this.#inTurn(async () => {
      await this.#engine.call('removeExample', { handle: this.#handle, index })
      this.#examples.splice(index, 1)
    })
  }

  /**
   * Gives an example another label. A training under way ends with the weights it has.
   *
   * @param {number} index
   * @param {string} label
   */
  relabel(index, label) {
    return this.#inTurn(async () => {
      const number = this.#labelNumber(label)
      await this.#engine.call('relabel', { handle: this.#handle, index, label: number })
      this.#examples[index] = { ...this.#examples[index], label: number }
    })
  }

  /** The end of the last change of the examples. @type {Promise<unknown>} */
  #changing = Promise.resolve()

  /**
   * Changes of the examples come one after the other: an index means the same on both sides.
   *
   * @template T
   * @param {() => Promise<T>} change
   * @returns {Promise<T>}
   */
  #inTurn(change) {
    const changed = this.#changing.then(change)
    this.#changing = changed.catch(() => {})
    return changed
  }

  /** @param {string} label */
  #labelNumber(label) {
    const number = this.labels.indexOf(label)
    if (number < 0) throw new ConvletError('argument', `example: expected one of ${this.labels.join(', ')}, got ${label}`)
    return number
  }

  /** How many examples there are, to train on and held back. */
  get counts() {
    const validation = this.#examples.filter((example) => example.validation).length
    return { training: this.#examples.length - validation, validation }
  }

  /** Whether it was trained, if only a little: before, there is no network to ask. */
  get isBegun() {
    return this.#recipe !== undefined
  }

  /** @returns {TrainerState} */
  get state() {
    return this.#state
  }

  /**
   * Trains on the examples there are, from the base's weights (or fresh ones), to the end or until it is stopped. Goes
   * on from a checkpoint that the trainer was resumed from.
   *
   * @param {TrainCallbacks & { options?: TrainOptions }} [callbacks] `options` beside those given to `create`
   */
  async train({ options = {}, ...callbacks } = {}) {
    if (this.#state !== 'idle') throw new ConvletError('argument', 'train: it trains already')
    this.#state = 'running'
    try {
      await this.#changing
      // What was trained before is begun anew.
      const checkpoint = this.#recipe ? undefined : this.#checkpoint
      const chosen = { depth: this.#depth, options: toRust({ ...this.#options, ...options }) }
      const recipe = await this.#engine.call('begin', { handle: this.#handle, ...chosen, checkpoint }, callbacks)
      ;[this.#recipe, this.#checkpoint, this.#isDone] = [recipe, checkpoint, false]
      await this.#work(recipe, callbacks)
    } finally {
      this.#state = 'idle'
    }
  }

  /**
   * @param {Recipe} recipe
   * @param {TrainCallbacks} callbacks
   */
  async #work(recipe, { signal, onStep, onEpochEnd, onCheckpoint, checkpointEvery = CHECKPOINT_EVERY }) {
    const clock = new Clock(recipe.epochs)
    let [lastEpoch, failures, lostEnds, checkpointAt] = [-1, 0, 0, performance.now()]
    const onAbort = () => this.#wake()
    signal?.addEventListener('abort', onAbort)
    try {
      for (;;) {
        while (this.#state === 'paused' && !signal?.aborted) await new Promise((wake) => (this.#wake = () => wake(0)))
        if (signal?.aborted || this.#state === 'stopping') break
        const piece = await this.#slice()
        failures = piece ? 0 : failures + 1
        if (Math.max(failures, lostEnds) > MAX_FAILURES) throw new ConvletError('engine', 'the engine failed again and again while training')
        if (!piece) continue
        if (piece.phase === 'end') {
          if (await this.#keepEnd()) break
          lostEnds++
          continue
        }
        // An epoch may begin and end within a slice: its end is a step like any other.
        const [phase, done, total] =
          piece.phase === 'epoch'
            ? [/** @type {const} */ ('step'), this.counts.training, this.counts.training]
            : [piece.phase, piece.done, piece.total]
        const at = { ...piece, phase, done, total, epochs: recipe.epochs }
        onStep?.({ ...at, secondsLeft: clock.secondsLeft(at) })
        // A worker that follows another may go through an epoch for the second time.
        if (piece.phase === 'epoch' && piece.epoch > lastEpoch)
          await onEpochEnd?.((lastEpoch = piece.epoch), /** @type {Logs} */ (piece.logs))
        if (piece.phase !== 'prepare' && performance.now() - checkpointAt > checkpointEvery) {
          await onCheckpoint?.(await this.checkpoint())
          checkpointAt = performance.now()
        }
      }
      if (this.#state === 'stopping' && !signal?.aborted) await this.#keepCheckpoint()
    } catch (thrown) {
      // Rolled back: the checkpoint would lead to the same end.
      if (thrown instanceof ConvletError && thrown.code === 'divergence') await this.#keepCheckpoint()
      throw thrown
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#isDone = true
      if (!this.#isDisposed) await this.#engine.call('finish', { handle: this.#handle }).catch(() => {})
    }
    signal?.throwIfAborted()
  }

  /** Some milliseconds of work; undefined where the worker failed, and another will go on from the last checkpoint. */
  async #slice() {
    try {
      return await this.#engine.call('advance', { handle: this.#handle, milliseconds: SLICE }, { once: true })
    } catch (thrown) {
      if (thrown instanceof TrapError) return undefined
      throw thrown
    }
  }

  /** Keeps the end of the training; false where the worker failed over it, and the last steps are to be done again. */
  async #keepEnd() {
    try {
      this.#checkpoint = await this.#engine.call('checkpoint', { handle: this.#handle }, { once: true })
      return true
    } catch (thrown) {
      if (thrown instanceof TrapError) return false
      throw thrown
    }
  }

  async #keepCheckpoint() {
    return (this.#checkpoint = await this.#engine.call('checkpoint', { handle: this.#handle }))
  }

  /** Halts the training after the step it is at. */
  pause() {
    if (this.#state === 'running') this.#state = 'paused'
  }

  /** Goes on after a pause. */
  resume() {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    this.#wake()
  }

  /** Ends the training: `train` resolves, with the best weights if `restoreBestWeights`, else the last. */
  stop() {
    if (this.#state === 'idle') return
    this.#state = 'stopping'
    this.#wake()
  }

  /** All that the next step depends on, but the base and the examples: for `Trainer.resume`. */
  async checkpoint() {
    if (!this.#recipe) throw new ConvletError('data', 'checkpoint: nothing was trained so far')
    // Once it is over, the weights are no longer those that steps go on from.
    return this.#isDone && this.#checkpoint ? this.#checkpoint : this.#keepCheckpoint()
  }

  /**
   * What the picture shows, by the weights as they are now.
   *
   * @param {PictureSource} source
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<Examination>}
   */
  async classify(source, { signal } = {}) {
    const classification = await askAbout(source, (picture, transfer) =>
      this.#engine.call('examine', { handle: this.#handle, picture }, { signal, transfer }),
    )
    return { ...classification, predictions: rank(this.labels, classification.probabilities) }
  }

  /**
   * The network as it is now at work on the picture, layer by layer: with its gradients, and how far it has come. What is
   * trained from then on leaves the inspection as it is.
   *
   * @param {PictureSource} source
   * @param {{ signal?: AbortSignal }} [options]
   */
  async inspect(source, options) {
    const { Inspection } = await import('./inspector.js')
    return Inspection.of(
      {
        ...{ labels: this.labels, input: this.input, isLearning: true },
        examine: (source, options) => this.classify(source, options),
        question: (request, options) => this.#engine.call('look', { ...request, handle: this.#handle }, options),
      },
      source,
      options,
    )
  }

  /**
   * How well the held-back examples are told apart, or all where none is: `confusion` has a row for what a picture shows
   * and a column for what it was taken for, `indices` are the examples', each with its `predictions`.
   *
   * @param {{ signal?: AbortSignal }} [options]
   */
  async evaluate(options) {
    const evaluation = await this.#engine.call('evaluate', { handle: this.#handle }, options)
    const split = this.counts.validation > 0 ? /** @type {const} */ ('validation') : /** @type {const} */ ('all')
    return { ...evaluation, split }
  }

  /**
   * What augmentation makes of a picture.
   *
   * @param {PictureSource} source
   * @param {{ augment?: Augment | false, seed?: number, count?: number, signal?: AbortSignal }} [options]
   * @returns {Promise<ImageData[]>}
   */
  async preview(source, { augment, seed = 0, count = 8, signal } = {}) {
    const chosen = augment ?? this.#options.augment
    const rust = chosen === undefined ? (await this.#engine.call('defaults', { depth: this.#depth, examples: 0 })).augment : augmentToRust(chosen)
    const request = { handle: this.#handle, augment: rust, seed, count }
    const values = await askAbout(source, (picture, transfer) =>
      this.#engine.call('preview', { ...request, picture }, { signal, transfer }),
    )
    const { height, width, channels, rescale } = this.input
    const length = height * width * channels
    return Array.from({ length: count }, (_, number) => {
      const image = new ImageData(width, height)
      const own = values.subarray(number * length, (number + 1) * length)
      for (let pixel = 0; pixel < height * width; pixel++)
        for (let c = 0; c < 4; c++)
          image.data[pixel * 4 + c] = c === 3 ? 255 : own[pixel * channels + (c % channels)] / rescale
      return image
    })
  }

  /** The model file, with the weights as they are now. */
  async save() {
    return new Blob([await this.#bytes()], { type: 'application/octet-stream' })
  }

  /** The network as it is now, which no further training changes. */
  async toClassifier() {
    return Classifier.load(await this.#bytes(), { deterministic: this.#engine === Engine.for({ deterministic: true }) })
  }

  async #bytes() {
    return /** @type {Uint8Array<ArrayBuffer>} */ (await this.#engine.call('save', { handle: this.#handle }))
  }

  /** Ends a training under way and gives the memory back. */
  async dispose() {
    if (this.#isDisposed) return
    this.#isDisposed = true
    this.stop()
    if (this.#engine.forget(this.#handle)) await this.#engine.call('closeTrainer', { handle: this.#handle })
  }

  /**
   * What brings all of this back in another worker.
   *
   * @returns {Generator<[operation: import('./port.js').Operation, argument: any]>}
   */
  *#replay() {
    const handle = this.#handle
    yield ['openTrainer', this.#opening]
    for (let start = 0; start < this.#examples.length; start += AT_A_TIME)
      yield ['addExamples', { handle, examples: this.#examples.slice(start, start + AT_A_TIME) }]
    if (!this.#recipe) return
    yield ['begin', { handle, depth: this.#depth, options: this.#recipe, checkpoint: this.#checkpoint }]
    if (this.#isDone) yield ['finish', { handle }]
  }
}

/**
 * @param {TrainerOptions['base']} base
 * @param {AbortSignal} [signal]
 */
async function opened(base, signal) {
  if (typeof base === 'object' && 'architecture' in base)
    return { name: 'the architecture', architecture: jsonOf(base.architecture) }
  return read(base, { signal })
}

/** @param {object | string} architecture */
const jsonOf = (architecture) => (typeof architecture === 'string' ? architecture : JSON.stringify(architecture))
