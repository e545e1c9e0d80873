/** The worker: a message port in front of the service that owns the wasm. */
import { ConvletError, messageOf } from './errors.js'
import { Service } from './service.js'

/** @import { Operation, Reply, Request } from './port.js' */

/** @type {Service} */
let service

/**
 * @param {Request} request
 * @returns {Promise<unknown>}
 */
async function perform({ operation, argument }) {
  if (operation === 'start') service = await Service.start(/** @type {WebAssembly.Module} */ (argument))
  else return service[operation](/** @type {any} */ (argument))
}

/**
 * An error that carries a code was thrown on purpose. Any other came out of wasm unforeseen: what it left behind
 * cannot be trusted.
 *
 * @param {unknown} thrown
 */
function describe(thrown) {
  const code = /** @type {Partial<ConvletError>} */ (thrown).code
  return typeof code === 'string'
    ? { code, message: messageOf(thrown), trapped: false }
    : { code: /** @type {const} */ ('engine'), message: `the engine failed: ${messageOf(thrown)}`, trapped: true }
}

addEventListener('message', async (/** @type {MessageEvent<Request>} */ { data: request }) => {
  /** @type {Reply} */
  let reply
  try {
    const result = await perform(request)
    reply = { id: request.id, result, memory: service.memory }
  } catch (thrown) {
    reply = { id: request.id, error: describe(thrown) }
  }
  postMessage(reply)
})
