import { ConvletError } from './errors.js'

/** @import { ErrorCode } from './errors.js' */
/** @import { Service } from './service.js' */

/**
 * @typedef {'open' | 'classify' | 'close'} Operation
 * @typedef {{ id: number, operation: Operation | 'start', argument: unknown }} Request
 * @typedef {{ code: ErrorCode, message: string, trapped: boolean }} Failure
 * @typedef {{ id: number, result?: unknown, memory?: number, error?: Failure }} Reply
 */

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
 * The engine in a worker of its own. Whoever stands in for it (slices on the main thread, say) has the same three
 * members: `request`, `memory` and `terminate`.
 */
export class WorkerPort {
  #worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'convlet' })
  /** The requests that wait for their reply, by id. @type {Map<number, PromiseWithResolvers<any>>} */
  #waiting = new Map()
  #lastId = 0
  /** Bytes of wasm memory when the last request ended. */
  memory = 0

  constructor() {
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
    const id = ++this.#lastId
    const waiting = withResolvers()
    this.#waiting.set(id, waiting)
    this.#worker.postMessage({ id, operation, argument }, transfer)
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
   * @param {ConvletError} error
   */
  #failAll(error) {
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
