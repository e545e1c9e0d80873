import { byId } from './dom.js'

/** @import { Classifier } from '../client/classifier.js' */
/** @import { PictureSource } from '../client/pixels.js' */
/** @import { Trainer } from '../client/trainer.js' */
/** @import { ConvletInspector } from '../elements/convlet-inspector.js' */

/** The network at work on the present picture, for whoever opens it: until then nothing of it is loaded. */
export class Inside {
  #fold = byId('inside', HTMLDetailsElement)
  /** @type {Promise<ConvletInspector> | undefined} */
  #inspector
  /** What to show. @type {[Classifier | Trainer, PictureSource] | undefined} */
  #present
  /** What is shown. @type {[Classifier | Trainer, PictureSource] | undefined} */
  #shown
  #showing = false
  #onError

  /**
   * @param {(thrown: unknown) => void} onError
   */
  constructor(onError) {
    this.#onError = onError
    this.#fold.addEventListener('toggle', () => {
      if (this.#fold.open) this.onOpen()
      this.#update()
    })
  }

  /** For whoever has nothing to show until it is open. */
  onOpen() {}

  get isOpen() {
    return this.#fold.open
  }

  /**
   * @param {Classifier | Trainer} network
   * @param {PictureSource} picture
   */
  show(network, picture) {
    this.#present = [network, picture]
    this.#update()
  }

  /** Shows what is present; what comes meanwhile waits for its turn, the last only. */
  async #update() {
    if (this.#showing) return
    this.#showing = true
    try {
      while (this.#fold.open && this.#present && this.#shown !== this.#present) {
        const inspector = await (this.#inspector ??= this.#load())
        await inspector.show(...(this.#shown = this.#present))
      }
    } catch (thrown) {
      this.#inspector = undefined
      this.#onError(thrown)
    } finally {
      this.#showing = false
    }
  }

  async #load() {
    const { ConvletInspector } = await import('../elements/convlet-inspector.js')
    const inspector = new ConvletInspector()
    this.#fold.querySelector('.hint')?.remove()
    this.#fold.append(inspector)
    return inspector
  }
}
