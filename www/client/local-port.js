/** The engine on the thread of whoever asks: in Node, and on a page that may have no worker. */
import * as engine from '../pkg/convlet.js'
import { compileEngine } from './build.js'
import { Desk } from './desk.js'
import { ConvletError } from './errors.js'
import { TrapError } from './port.js'
import { Tutor } from './tutor.js'

/** @import { Part } from './build.js' */
/** @import { Operation, Port } from './port.js' */

/** Whether the one wasm instance of this thread has trapped. There is no second: the script that speaks to it holds one. */
let poisoned = false

/**
 * @implements {Port}
 */
export class LocalPort {
  #desk = new Desk(engine, (service) => new Tutor(service))
  /** @type {Part} */
  part = 'whole'
  /** Nothing would be given back. */
  memory = 0

  /** The strict build of the whole, as one instance has to serve all. */
  static async open() {
    if (poisoned)
      throw new ConvletError('engine', 'the engine failed, and without a worker only a reload of the page starts another')
    const port = new LocalPort()
    await port.request('start', await compileEngine('strict', 'whole'))
    return port
  }

  /**
   * Each request has a task of its own, so that the page comes to draw between two.
   *
   * @param {Operation | 'start'} operation
   * @param {unknown} argument
   */
  async request(operation, argument) {
    await new Promise((resolve) => setTimeout(resolve))
    const { result, error } = await this.#desk.answer({ id: 0, operation, argument })
    if (!error) return result
    poisoned ||= error.trapped
    throw error.trapped ? new TrapError(error.message) : new ConvletError(error.code, error.message)
  }

  terminate() {}
}
