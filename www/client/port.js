import { compileEngine } from './build.js'
import { ConvletError } from './errors.js'
import { within } from './within.js'

/** @import { Build, Part } from './build.js' */
/** @import { ErrorCode } from './errors.js' */
/** @import { Service } from './service.js' */
/** @import { Tutor } from './tutor.js' */

/**
 * @typedef {Pick<Service, 'open' | 'classify' | 'close'> & Omit<Tutor, 'constructor'>} Operations
 * @typedef {keyof Operations} Operation
 * @typedef {{ id: number, operation: Operation | 'start', argument: unknown }} Request
 * @typedef {{ code: ErrorCode, message: string, trapped: boolean }} Failure
 * @typedef {{ id: number, result?: unknown, memory?: number, error?: Failure }} Reply
 */

/** Milliseconds after which a worker that does not start is given up: a busy machine takes a while to begin one. */
const PATIENCE = 60_000

/**
 * The way to an engine: in a worker of its own, or on this very thread.
 *
 * @typedef {object} Port
 * @property {(operation: Operation | 'start', argument: unknown, transfer?: Transferable[]) => Promise<any>} request
 * @property {Part} part of the engine that is there
 * @property {number} memory bytes of wasm memory that `terminate` gives back, as of the last request
 * @property {() => void} terminate ends the engine at once; requests that still wait are rejected
 */

/**
 * Starts an engine in a worker. Browsers run no worker's script from another origin, as that of a CDN, but a script of
 * this page that imports it; and where a policy or a sandbox forbids workers, the engine runs on this thread.
 *
 * @param {Build} build
 * @param {Part} part
 * @returns {Promise<Port>}
 */
export async function openPort(build, part) {
  for (const address of workerAddresses(part)) {
    /** @type {WorkerPort | undefined} */
    let port
    try {
      port = new WorkerPort(address, part)
      const started = port.request('start', await compileEngine(build, part))
      await within(PATIENCE, started, () => new TrapError('the engine did not start'))
      return port
    } catch (thrown) {
      port?.terminate()
      // Code that cannot be had is no fault of the worker's.
      if (thrown instanceof ConvletError && !(thrown instanceof TrapError)) throw thrown
    } finally {
      if (address.startsWith('blob:')) URL.revokeObjectURL(address)
    }
  }
  const { LocalPort } = await import('./local-port.js')
  return LocalPort.open()
}

/**
 * What may be tried as a worker's script, the best first.
 *
 * @param {Part} part
 */
function* workerAddresses(part) {
  if (!('Worker' in globalThis)) return
  const address = workerAddress(part)
  yield address
  const script = `import ${JSON.stringify(address)}`
  yield URL.createObjectURL(new Blob([script], { type: 'text/javascript' }))
}

/**
 * Where the worker's script is. Bundlers find workers by this very spelling, so the name stands in for the global one.
 *
 * @param {Part} part
 */
function workerAddress(part) {
  class Worker {
    /**
     * @param {URL} url
     * @param {WorkerOptions} _options
     */
    constructor(url, _options) {
      this.address = String(url)
    }
  }
  if (part === 'classifier') return new Worker(new URL('./worker.js', import.meta.url), { type: 'module' }).address
  return new Worker(new URL('./whole-worker.js', import.meta.url), { type: 'module' }).address
}

/** An error after which the engine behind the port cannot be trusted and has to be replaced. */
export class TrapError extends ConvletError {
  /**
   * @param {string} message
   */
  constructor(message) {
    super('engine', message)
  }
}

/**
 * The engine in a worker of its own.
 *
 * @implements {Port}
 */
class WorkerPort {
  #worker
  /** The requests that wait for their reply, by id. @type {Map<number, PromiseWithResolvers<any>>} */
  #waiting = new Map()
  #lastId = 0
  /** Why nothing more can be asked of it. @type {TrapError | undefined} */
  #broken
  /** Bytes of wasm memory when the last request ended. */
  memory = 0

  /**
   * @param {string} address
   * @param {Part} part
   */
  constructor(address, part) {
    this.part = part
    this.#worker = new Worker(address, { type: 'module', name: 'convlet' })
    this.#worker.addEventListener('message', ({ data }) => this.#settle(data))
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault()
      this.#failAll(new TrapError(`the engine cannot run: ${event.message || 'its script could not be loaded'}`))
    })
    this.#worker.addEventListener('messageerror', () =>
      this.#failAll(new TrapError('the engine sent what this browser cannot read')),
    )
  }

  /**
   * @param {Operation | 'start'} operation
   * @param {unknown} argument
   * @param {Transferable[]} [transfer]
   * @returns {Promise<any>}
   */
  request(operation, argument, transfer = []) {
    if (this.#broken) return Promise.reject(this.#broken)
    const id = ++this.#lastId
    const waiting = withResolvers()
    // Throws where the argument cannot be sent.
    this.#worker.postMessage({ id, operation, argument }, transfer)
    this.#waiting.set(id, waiting)
    return waiting.promise
  }

  /** Ends the worker at once; requests that still wait are rejected. */
  terminate() {
    this.#worker.terminate()
    this.#failAll(new TrapError('the engine was stopped'))
  }

  /**
   * @param {Reply} reply
   */
  #settle({ id, result, memory, error }) {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    this.memory = memory ?? this.memory
    if (!error) waiting?.resolve(result)
    else waiting?.reject(error.trapped ? new TrapError(error.message) : new ConvletError(error.code, error.message))
  }

  /**
   * @param {TrapError} error
   */
  #failAll(error) {
    this.#broken = error
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
  }
}

/**
 * `Promise.withResolvers`, which browsers of 2023 lack.
 *
 * @returns {PromiseWithResolvers<any>}
 */
function withResolvers() {
  /** @type {any} */
  const resolvers = {}
  resolvers.promise = new Promise((resolve, reject) => Object.assign(resolvers, { resolve, reject }))
  return resolvers
}
