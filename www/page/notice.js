import { messageOf } from '../client/errors.js'
import { byId } from './dom.js'

/** The one place where the page says what went wrong. */
export class Notice {
  #box = byId('notice', HTMLElement)
  #text = byId('notice-text', HTMLElement)

  constructor() {
    byId('notice-close', HTMLButtonElement).addEventListener('click', () => this.clear())
  }

  /**
   * @param {unknown} thrown
   */
  show(thrown) {
    this.#text.textContent = messageOf(thrown)
    this.#box.hidden = false
  }

  clear() {
    this.#box.hidden = true
    this.#text.textContent = ''
  }
}
