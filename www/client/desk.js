import { messageOf } from './errors.js'
import { Service } from './service.js'

/** @import { ConvletError } from './errors.js' */
/** @import { Failure, Reply, Request } from './port.js' */

/** Where requests become calls of the service, and what it throws becomes a reply: in a worker, or on a page without. */
export class Desk {
  /** @type {Service | undefined} */
  #service

  /**
   * @param {Request} request
   * @returns {Promise<Reply>}
   */
  async answer({ id, operation, argument }) {
    try {
      if (operation === 'start') this.#service = await Service.start(/** @type {WebAssembly.Module} */ (argument))
      const service = /** @type {Service} */ (this.#service)
      const result = operation === 'start' ? undefined : await service[operation](/** @type {any} */ (argument))
      return { id, result, memory: service.memory }
    } catch (thrown) {
      return { id, error: describe(thrown) }
    }
  }
}

/**
 * An error that carries a code was thrown on purpose. Any other came out of wasm unforeseen: what it left behind
 * cannot be trusted.
 *
 * @param {unknown} thrown
 * @returns {Failure}
 */
function describe(thrown) {
  const code = /** @type {Partial<ConvletError>} */ (thrown).code
  return typeof code === 'string'
    ? { code, message: messageOf(thrown), trapped: false }
    : { code: 'engine', message: `the engine failed: ${messageOf(thrown)}`, trapped: true }
}
