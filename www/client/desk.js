import { messageOf } from './errors.js'
import { Service } from './service.js'

/** @import { ConvletError } from './errors.js' */
/** @import { Failure, Operation, Reply, Request } from './port.js' */
/** @import { Glue } from './service.js' */
/** @import { Tutor } from './tutor.js' */

/** Where requests become calls of the service, and what it throws becomes a reply: in a worker, or on a page without. */
export class Desk {
  #engine
  #tutorOf
  /** @type {Service | undefined} */
  #service
  /** @type {Tutor | undefined} */
  #tutor

  /**
   * @param {Glue} engine
   * @param {(service: Service) => Tutor} [tutorOf] where it is the whole engine
   */
  constructor(engine, tutorOf) {
    this.#engine = engine
    this.#tutorOf = tutorOf
  }

  /** Answers whoever has started this worker. */
  serve() {
    addEventListener('message', async (/** @type {MessageEvent<Request>} */ { data: request }) => {
      postMessage(await this.answer(request))
    })
  }

  /**
   * @param {Request} request
   * @returns {Promise<Reply>}
   */
  async answer({ id, operation, argument }) {
    try {
      if (operation === 'start') this.#service = await Service.start(this.#engine, /** @type {WebAssembly.Module} */ (argument))
      const service = /** @type {Service} */ (this.#service)
      const result = operation === 'start' ? undefined : await this.#perform(service, operation, argument)
      return { id, result, memory: service.memory }
    } catch (thrown) {
      return { id, error: describe(thrown, this.#service) }
    }
  }

  /**
   * @param {Service} service
   * @param {Operation} operation
   * @param {any} argument
   */
  #perform(service, operation, argument) {
    if (operation in service) return service[/** @type {'open'} */ (operation)](argument)
    // As the engine has it: where nothing trains, no trainer is left to be closed.
    if (!this.#tutorOf && operation === 'closeTrainer') return
    this.#tutor ??= this.#tutorOf?.(service)
    return /** @type {Tutor} */ (this.#tutor)[/** @type {'advance'} */ (operation)](argument)
  }
}

/**
 * An error that carries a code was thrown on purpose. Any other came out of wasm unforeseen: what it left behind
 * cannot be trusted.
 *
 * @param {unknown} thrown
 * @param {Service | undefined} service
 * @returns {Failure}
 */
function describe(thrown, service) {
  const code = /** @type {Partial<ConvletError>} */ (thrown).code
  if (typeof code === 'string') return { code, message: messageOf(thrown), trapped: false }
  const message = service?.isFull
    ? `the engine has no more memory than its ${Math.round(service.memory / 2 ** 20)} MiB: smaller or fewer pictures need less`
    : `the engine failed: ${messageOf(thrown)}`
  return { code: 'engine', message, trapped: true }
}
