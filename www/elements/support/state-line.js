import { ConvletError, messageOf } from '../../client/errors.js'
import { make } from './dom.js'
import { sheet } from './sheet.js'

export const STATE_LINE = sheet(`
.state { min-height: 1.5em; color: var(--ink-soft); overflow-wrap: anywhere; }
.state.trouble { color: var(--bad); }
`)

/** The line that says what an element is at, or what went wrong. */
export class StateLine {
  element = make('p', 'state')

  constructor() {
    this.element.role = 'status'
  }

  /**
   * @param {string} text
   */
  tell(text) {
    this.element.classList.remove('trouble')
    this.element.textContent = text
  }

  /**
   * @param {unknown} thrown
   * @returns what the element's `error` event is to tell
   */
  fail(thrown) {
    const error = thrown instanceof ConvletError ? thrown : new ConvletError('engine', messageOf(thrown), { cause: thrown })
    this.element.textContent = error.message
    this.element.classList.add('trouble')
    return error
  }
}
