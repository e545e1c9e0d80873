import { byId } from './dom.js'

/** @import { Classifier } from '../client/classifier.js' */
/** @import { PictureSource } from '../client/pixels.js' */
/** @import { ConvletInspector } from '../elements/convlet-inspector.js' */

/** The network at work on the present picture, for whoever opens it: until then nothing of it is loaded. */
export class Inside {
  #fold = byId('inside', HTMLDetailsElement)
  /** @type {Promise<ConvletInspector> | undefined} */
  #inspector
  /** What to show. @type {[Classifier, PictureSource] | undefined} */
  #present
  #onError

  /**
   * @param {(thrown: unknown) => void} onError
   */
  constructor(onError) {
    this.#onError = onError
    this.#fold.addEventListener('toggle', () => this.#update())
  }

  /**
   * @param {Classifier} classifier
   * @param {PictureSource} picture
   */
  show(classifier, picture) {
    this.#present = [classifier, picture]
    this.#update()
  }

  async #update() {
    if (!this.#fold.open || !this.#present) return
    try {
      const inspector = await (this.#inspector ??= this.#load())
      if (this.#present) await inspector.show(...this.#present)
    } catch (thrown) {
      this.#inspector = undefined
      this.#onError(thrown)
    }
  }

  async #load() {
    const { ConvletInspector } = await import('../elements/convlet-inspector.js')
    const inspector = new ConvletInspector()
    this.#fold.append(inspector)
    return inspector
  }
}
