import { Classifier } from '../client/classifier.js'
import { ConvletError } from '../client/errors.js'
import { fetchBytes, fileName } from '../client/fetch.js'
import { Trainer } from '../client/trainer.js'
import { ENGINE } from './engine.js'

/** @import { Examination } from '../client/classifier.js' */
/** @import { PictureSource } from '../client/pixels.js' */
/** @import { TrainOptions } from '../client/recipe.js' */
/** @import { Depth, Logs } from '../client/trainer.js' */
/** @import { Project } from './project.js' */
/** @import { AnyStore as Store } from './store.js' */

/**
 * What is trained, and how: all that `Trainer.create` needs but the pictures.
 * @typedef {{ depth: Depth, base: string | Blob | { architecture: string }, options: TrainOptions }} Recipe
 *
 * What a training under way is made of, as it is kept: a checkpoint is of no use without the very same examples.
 * @typedef {object} Kept
 * @property {Recipe} recipe
 * @property {string[]} labels
 * @property {[id: number, label: number][]} examples in the order they were added
 * @property {Logs[]} history
 * @property {Uint8Array} [checkpoint]
 *
 * How the trained network did, on pictures it was not trained on where there are any.
 * @typedef {object} Verdict
 * @property {number[][]} confusion rows: what it is, columns: what the network says
 * @property {{ precision?: number, recall?: number }[]} perClass
 * @property {{ id: number, truth: number, said: number, confidence: number }[]} pictures
 * @property {boolean} [heldOut] whether these pictures were kept out of the training, if that is known
 *
 * @typedef {{ model: Blob, labels: string[], history: Logs[], verdict: Verdict }} Result
 */

/** Pictures fetched from the store at a time. */
const AT_A_TIME = 32

/**
 * The network of the project: in training, or trained. Events: 'state', 'examples' (`loaded`, `total`), 'step', 'epoch'.
 */
export class Training extends EventTarget {
  #project
  #store
  /** @type {Trainer | undefined} */
  #trainer
  /** The network that the last training ended in. @type {Classifier | undefined} */
  #classifier
  /** @type {AbortController | undefined} */
  #aborting
  /** The networks fetched to begin from, by address: nothing is asked for twice. @type {Map<string, File>} */
  #bases = new Map()
  /** Whether another tab goes on with the project. */
  #isAbandoned = false
  /** @type {'idle' | 'preparing' | 'running' | 'paused' | 'judging'} */
  state = 'idle'
  /** What the last training came to. @type {Result | undefined} */
  result
  /** The epochs of the present training, or of the last. @type {Logs[]} */
  history = []

  /**
   * @param {Project} project
   * @param {Store} store
   */
  constructor(project, store) {
    super()
    this.#project = project
    this.#store = store
  }

  /** Brings back what was trained before, and says whether a training was interrupted. */
  async restore() {
    /** @type {Result | undefined} */
    const result = await this.#store.get('result')
    if (result) {
      this.#classifier = await Classifier.load(result.model, ENGINE)
      this.result = result
      this.history = result.history
      this.#become('idle')
    }
    return this.#interrupted()
  }

  /** @returns {Promise<Kept | undefined>} */
  #interrupted() {
    return this.#store.get('training')
  }

  get isBusy() {
    return this.state !== 'idle'
  }

  /** The network as it is now, in training or trained, while there is one. */
  get network() {
    return this.state === 'running' || this.state === 'paused' ? this.#trainer : this.#classifier
  }

  /** The input of that network. */
  get input() {
    return (this.#trainer ?? this.#classifier)?.input
  }

  /**
   * Asks the network as it is now, in training or trained.
   *
   * @param {PictureSource} source
   * @returns {Promise<Examination | undefined>} undefined without a network
   */
  async examine(source) {
    const { network } = this
    return network instanceof Trainer ? network.classify(source) : network?.examine(source)
  }

  /**
   * Trains on all pictures there are.
   *
   * @param {Recipe} recipe
   */
  async start(recipe) {
    const classes = this.#project.trainable
    await this.#train({
      recipe,
      labels: classes.map(({ name }) => name),
      examples: classes.flatMap(({ pictures }, label) => pictures.map((id) => /** @type {[number, number]} */ ([id, label]))),
      history: [],
    })
  }

  /** Goes on with the training that was interrupted, from its last checkpoint. */
  async goOn() {
    const kept = await this.#interrupted()
    if (kept) await this.#train(kept)
  }

  /** Forgets the training that was interrupted. */
  forget() {
    return this.#store.remove('training')
  }

  /** @param {Kept} kept */
  async #train(kept) {
    const { signal } = (this.#aborting = new AbortController())
    this.history = [...kept.history]
    this.#become('preparing')
    try {
      this.#trainer = await this.#prepare(kept, signal)
      await this.#store.set('training', kept)
      this.#become('running')
      await this.#run(this.#trainer, kept, signal)
      this.#become('judging')
      await this.#finish(this.#trainer, kept)
    } catch (thrown) {
      if (this.#isAbandoned) return
      // What was stopped before it began, or cannot go on, is not to be taken up again.
      const cannot = thrown instanceof ConvletError && ['divergence', 'version'].includes(thrown.code)
      if (signal.aborted || cannot) await this.forget()
      if (!signal.aborted) throw thrown
    } finally {
      await this.#trainer?.dispose()
      this.#trainer = undefined
      this.#become('idle')
    }
  }

  /**
   * @param {Kept} kept
   * @param {AbortSignal} signal
   */
  async #prepare({ recipe, labels, examples, checkpoint }, signal) {
    const base = await this.#fetched(recipe.base, signal)
    const options = { ...recipe, base, labels, ...ENGINE, signal }
    const trainer = checkpoint ? await Trainer.resume(checkpoint, options) : await Trainer.create(options)
    for (let start = 0; start < examples.length; start += AT_A_TIME) {
      signal.throwIfAborted()
      const some = examples.slice(start, start + AT_A_TIME)
      const blobs = await Promise.all(some.map(([id]) => this.#project.blob(id)))
      if (blobs.includes(undefined))
        throw new ConvletError('data', 'The training cannot go on: pictures it began with were deleted since. Train anew.')
      await Promise.all(blobs.map((blob, place) => trainer.addExample(/** @type {Blob} */ (blob), labels[some[place][1]])))
      const detail = { loaded: start + some.length, total: examples.length }
      this.dispatchEvent(new CustomEvent('examples', { detail }))
    }
    return trainer
  }

  /**
   * @param {Recipe['base']} base
   * @param {AbortSignal} signal
   */
  async #fetched(base, signal) {
    if (typeof base !== 'string') return base
    const file = this.#bases.get(base) ?? new File([await fetchBytes(base, { signal })], fileName(base))
    this.#bases.set(base, file)
    return file
  }

  /**
   * @param {Trainer} trainer
   * @param {Kept} kept
   * @param {AbortSignal} signal
   */
  async #run(trainer, kept, signal) {
    await trainer.train({
      signal,
      onStep: (progress) => this.dispatchEvent(new CustomEvent('step', { detail: progress })),
      onEpochEnd: (epoch, logs) => {
        this.history[epoch] = logs
        this.dispatchEvent(new Event('epoch'))
      },
      onCheckpoint: (checkpoint) =>
        this.#store.set('training', Object.assign(kept, { checkpoint, history: [...this.history] })),
    })
  }

  /**
   * @param {Trainer} trainer
   * @param {Kept} kept
   */
  async #finish(trainer, { labels, examples }) {
    const { confusion, perClass, predictions, indices } = await trainer.evaluate()
    const pictures = indices.map((index, place) => {
      const [id, truth] = examples[index]
      const said = predictions[place].indexOf(Math.max(...predictions[place]))
      return { id, truth, said, confidence: predictions[place][said] }
    })
    const heldOut = indices.length < examples.length
    const model = await trainer.save()
    const result = { model, labels, history: this.history, verdict: { confusion, perClass, pictures, heldOut } }
    const classifier = await Classifier.load(model, ENGINE)
    await this.#store.set('result', result)
    await this.forget()
    await this.#classifier?.dispose()
    this.#classifier = classifier
    this.result = result
  }

  /**
   * Takes a trained network from a file, and judges it on the project's pictures, if it knows all of their classes.
   *
   * @param {Blob} model
   * @returns {Promise<boolean>} whether it does
   */
  async adopt(model) {
    const classifier = await Classifier.load(model, ENGINE)
    const { labels } = classifier
    const classes = this.#project.trainable
    if (this.isBusy || !classes.length || !classes.every(({ name }) => labels.includes(name))) {
      await classifier.dispose()
      return false
    }
    this.#become('judging')
    try {
      const verdict = await judged(classifier, this.#project)
      const result = { model, labels: [...labels], history: [], verdict }
      await this.#store.set('result', result)
      await this.#classifier?.dispose()
      this.#classifier = classifier
      this.result = result
      this.history = []
    } finally {
      this.#become('idle')
    }
    return true
  }

  /** Ends the training at once, for another tab to go on with it from its last checkpoint. */
  abandon() {
    this.#isAbandoned = true
    this.#aborting?.abort()
  }

  pause() {
    this.#trainer?.pause()
    this.#become('paused')
  }

  resume() {
    this.#trainer?.resume()
    this.#become('running')
  }

  /** Ends the training; the weights so far are judged and kept. */
  stop() {
    if (this.state === 'preparing') this.#aborting?.abort()
    else {
      if (this.state === 'paused') this.resume()
      this.#trainer?.stop()
    }
  }

  /** @param {Training['state']} state */
  #become(state) {
    this.state = state
    this.dispatchEvent(new Event('state'))
  }
}

/**
 * What a network says of all pictures there are.
 *
 * @param {Classifier} classifier
 * @param {Project} project
 * @returns {Promise<Verdict>}
 */
async function judged(classifier, project) {
  const { labels } = classifier
  const confusion = labels.map(() => labels.map(() => 0))
  /** @type {Verdict['pictures']} */
  const pictures = []
  for (const { name, pictures: ids } of project.trainable) {
    const truth = labels.indexOf(name)
    for (const id of ids) {
      const blob = await project.blob(id)
      if (!blob) continue
      const [best] = await classifier.classify(blob)
      const said = labels.indexOf(best.label)
      confusion[truth][said]++
      pictures.push({ id, truth, said, confidence: best.confidence })
    }
  }
  const share = (/** @type {number} */ right, /** @type {number} */ of) => (of ? right / of : undefined)
  const perClass = confusion.map((row, label) => ({
    precision: share(row[label], confusion.reduce((sum, other) => sum + other[label], 0)),
    recall: share(row[label], row.reduce((sum, count) => sum + count, 0)),
  }))
  return { confusion, perClass, pictures }
}
