/** The worker: a message port in front of the service that owns the wasm. */
import { Desk } from './desk.js'

/** @import { Request } from './port.js' */

const desk = new Desk()

addEventListener('message', async (/** @type {MessageEvent<Request>} */ { data: request }) => {
  postMessage(await desk.answer(request))
})
