import { chooseBuild, choosePart, compileEngine } from './build.js'
import { openPort, TrapError } from './port.js'

/** @import { Build, Part } from './build.js' */
/** @import { Operation, Operations, Port } from './port.js' */

/**
 * @typedef {object} Job
 * @property {Operation} operation
 * @property {any} argument
 * @property {Transferable[]} transfer
 * @property {number} attempts workers that may try
 * @property {(result: any) => void} resolve
 * @property {(reason: unknown) => void} reject
 */

/**
 * What a new worker has to be told for something to be in it as it was in the last.
 *
 * @typedef {object} Kept
 * @property {() => Iterable<[operation: Operation, argument: any]>} replay
 * @property {number} [memory] bytes of wasm memory that it may take
 */

/**
 * Whether the part of the engine that classifies cannot do it. Where nothing trains, no trainer is left to be closed.
 *
 * @param {Operation} operation
 */
const takesWhole = (operation) => !['open', 'classify', 'close', 'closeTrainer'].includes(operation)

/** Wasm memory never shrinks, and one huge picture leaves hundreds of megabytes behind: past this, a fresh worker. */
const MEMORY_LIMIT = 256 * 2 ** 20

/**
 * One engine serves everything on a page (a second one what asks for the strict build). It hands requests to its worker
 * one at a time, so that a queued one can be withdrawn, and outlives the worker: a trap poisons a wasm instance, so what is
 * open is kept on this side (model files, examples, checkpoints) and opened again in the worker that follows. So it is when
 * more is asked than the part of the engine can do that is there: the whole takes its place.
 */
export class Engine {
  /** The engines of this page. @type {Map<Build, Engine>} */
  static #shared = new Map()

  /** What its workers run. @type {Build} */
  #build
  /** Whether the worker has all of it, or the last one had. */
  #isWhole = false
  /** What waits for its turn. @type {Job[]} */
  #queue = []
  /** Whether `#work` is under way. */
  #working = false
  /** The worker, once asked for, with every model open in it. @type {Promise<Port> | undefined} */
  #port
  /** All that is open, by handle. @type {Map<number, Kept>} */
  #kept = new Map()
  #lastHandle = 0

  /**
   * @param {Build} build
   */
  constructor(build) {
    this.#build = build
  }

  /** The engine of this page, as fast as the browser lets it be. */
  static get shared() {
    return this.for({})
  }

  /**
   * The engine of this page; with `deterministic`, one that gives the same bits on every machine.
   *
   * @param {{ deterministic?: boolean }} options
   */
  static for({ deterministic = false }) {
    const build = chooseBuild(deterministic)
    let engine = this.#shared.get(build)
    if (!engine) this.#shared.set(build, (engine = new Engine(build)))
    return engine
  }

  /**
   * Starts the worker ahead of the first request. Failures show up in the request that needs it.
   *
   * @param {{ whole?: boolean }} [options] `whole`: with all of the engine, for more than classifying
   */
  warmUp({ whole = false } = {}) {
    if (!this.#port) this.#begin(whole).catch(() => {})
    else if (whole && !this.#isWhole) this.#fetchWhole().catch(() => {})
  }

  /** Gets the code of the whole engine, while the part may be at work. */
  #fetchWhole() {
    return compileEngine(this.#build, 'whole')
  }

  /** A handle that nothing else has. */
  newHandle() {
    return ++this.#lastHandle
  }

  /**
   * Makes every worker that may follow this one bring something back.
   *
   * @param {number} handle
   * @param {Kept} kept
   */
  keep(handle, kept) {
    this.#kept.set(handle, kept)
  }

  /**
   * Whether it was kept so far.
   *
   * @param {number} handle
   */
  forget(handle) {
    return this.#kept.delete(handle)
  }

  /**
   * Opens a model file, which the engine then keeps.
   *
   * @param {Uint8Array} bytes
   * @param {string} name for messages
   * @param {{ signal?: AbortSignal }} [options]
   */
  async open(bytes, name, options) {
    const handle = this.newHandle()
    const description = await this.call('open', { handle, bytes, name }, options).catch((thrown) => {
      // Where the caller gave up, the worker may open it all the same.
      if (options?.signal?.aborted) this.call('close', { handle }).catch(() => {})
      throw thrown
    })
    this.keep(handle, { replay: () => [['open', { handle, bytes, name }]] })
    return { handle, description }
  }

  /**
   * @param {number} handle
   */
  async close(handle) {
    if (this.forget(handle)) await this.call('close', { handle })
  }

  /**
   * Runs one operation of the service in the worker. An abort rejects at once; what the worker has begun it ends in
   * silence. A worker that dies over it is followed by one that tries anew, as that may have been the machine's fault and
   * not the job's; but not `once`, or where the first worker was given something for good.
   *
   * @template {Operation} Name
   * @param {Name} operation
   * @param {Parameters<Operations[Name]>[0]} argument
   * @param {{ signal?: AbortSignal, transfer?: Transferable[], once?: boolean }} [options]
   * @returns {Promise<Awaited<ReturnType<Operations[Name]>>>}
   */
  call(operation, argument, { signal, transfer = [], once = transfer.length > 0 } = {}) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const withdraw = () => {
        const place = this.#queue.indexOf(job)
        if (place >= 0) this.#queue.splice(place, 1)
        job.reject(signal?.reason)
      }
      /** @type {(settle: (value: any) => void) => (value: any) => void} */
      const settling = (settle) => (value) => {
        signal?.removeEventListener('abort', withdraw)
        settle(value)
      }
      /** @type {Job} */
      const job = {
        ...{ operation, argument, transfer, attempts: once ? 1 : 2 },
        ...{ resolve: settling(resolve), reject: settling(reject) },
      }
      signal?.addEventListener('abort', withdraw)
      const enter = () => {
        if (signal?.aborted) return
        this.#queue.push(job)
        if (!this.#working) this.#work()
      }
      // What others ask of the part need not wait until the whole has come.
      if (this.#port && !this.#isWhole && takesWhole(operation)) this.#fetchWhole().then(enter, job.reject)
      else enter()
    })
  }

  /** Does the queue's jobs, one after the other. */
  async #work() {
    this.#working = true
    for (let job = this.#queue.shift(); job; job = this.#queue.shift()) await this.#perform(job)
    this.#working = false
  }

  /** @param {Job} job */
  async #perform(job) {
    /** @type {Port | undefined} */
    let port
    try {
      port = await this.#ready(takesWhole(job.operation))
      job.resolve(await port.request(job.operation, job.argument, job.transfer))
      if (port.memory > this.#memoryLimit) this.#replace(port)
    } catch (thrown) {
      if (!(thrown instanceof TrapError)) return job.reject(thrown)
      if (port) this.#replace(port)
      if (--job.attempts > 0) await this.#perform(job)
      else job.reject(thrown)
    }
  }

  get #memoryLimit() {
    let limit = MEMORY_LIMIT
    for (const { memory = 0 } of this.#kept.values()) limit += memory
    return limit
  }

  /**
   * The worker, started if there is none, or none that can do all that is needed. A start that failed is tried anew by the
   * next request; a worker that was to be replaced stays until that succeeds.
   *
   * @param {boolean} whole
   */
  async #ready(whole) {
    const present = await this.#port?.catch((thrown) => {
      // It was the part that could not be had: the whole may be.
      if (!whole) throw thrown
      return undefined
    })
    return present && (!whole || present.part === 'whole') ? present : this.#begin(whole, present)
  }

  /**
   * @param {boolean} whole
   * @param {Port} [replaced]
   */
  #begin(whole, replaced) {
    const started = this.#start(choosePart(this.#build, whole || this.#isWhole))
    this.#port = started
    started.then(
      (port) => {
        this.#isWhole = port.part === 'whole'
        replaced?.terminate()
      },
      () => {
        if (this.#port === started) this.#port = replaced && Promise.resolve(replaced)
      },
    )
    return started
  }

  /** @param {Part} part */
  async #start(part) {
    const port = await openPort(this.#build, part)
    try {
      for (const { replay } of this.#kept.values())
        for (const [operation, argument] of replay()) await port.request(operation, argument)
      return port
    } catch (thrown) {
      port.terminate()
      throw thrown
    }
  }

  /**
   * @param {Port} port
   */
  #replace(port) {
    port.terminate()
    this.#port = undefined
    this.warmUp()
  }
}
