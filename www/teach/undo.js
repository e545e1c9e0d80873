import { byId } from '../page/dom.js'

/** What was done last and can be taken back, said where it is seen. */
export class Undo {
  #box = byId('undo', HTMLElement)
  #text = byId('undo-text', HTMLElement)
  /** @type {(() => Promise<void>) | undefined} */
  #takeBack

  /**
   * @param {(thrown: unknown) => void} onError
   */
  constructor(onError) {
    byId('undo-do', HTMLButtonElement).addEventListener('click', async () => {
      const takeBack = this.#takeBack
      this.clear()
      try {
        await takeBack?.()
      } catch (thrown) {
        onError(thrown)
      }
    })
    byId('undo-close', HTMLButtonElement).addEventListener('click', () => this.clear())
  }

  /**
   * @param {string} text
   * @param {() => Promise<void>} takeBack
   */
  offer(text, takeBack) {
    this.#takeBack = takeBack
    this.#text.textContent = text
    this.#box.hidden = false
  }

  clear() {
    this.#takeBack = undefined
    this.#box.hidden = true
  }
}
