import { byId } from '../page/dom.js'

/** @import { Examination } from '../client/classifier.js' */
/** @import { PictureSource } from '../client/pixels.js' */
/** @import { Answer } from '../page/answer.js' */
/** @import { Seen } from '../page/seen.js' */
/** @import { CameraPanel } from './camera-panel.js' */
/** @import { Training } from './training.js' */

/** Milliseconds between two frames while training, which is to get on meanwhile. */
const WHILE_TRAINING = 200

/** What the network says of the camera, frame by frame, in training and afterwards. */
export class Live {
  #training
  #camera
  #answer
  #seen
  #threshold
  #onError
  #evidence = byId('evidence', HTMLElement)
  /** The loop under way; another one ends it. */
  #following = {}
  /** The picture looked at last, where it is not the camera. @type {PictureSource | undefined} */
  #still
  /** The labels shown. @type {string[] | undefined} */
  #labels

  /**
   * @param {object} parts
   * @param {Training} parts.training
   * @param {CameraPanel} parts.camera
   * @param {Answer} parts.answer
   * @param {Seen} parts.seen
   * @param {() => number} parts.threshold the confidence below which the answer is 'none of these'
   * @param {(thrown: unknown) => void} parts.onError
   */
  constructor({ training, camera, answer, seen, threshold, onError }) {
    this.#training = training
    this.#camera = camera
    this.#answer = answer
    this.#seen = seen
    this.#threshold = threshold
    this.#onError = onError
    camera.addEventListener('on', () => this.#follow())
    camera.addEventListener('off', () => (this.#following = {}))
    training.addEventListener('state', () => {
      this.#showLabels()
      if (this.#still && !camera.isOn) this.look(this.#still)
    })
  }

  /** What is looked at: the camera, or the picture instead. @returns {PictureSource | undefined} */
  get picture() {
    return this.#camera.video ?? this.#still
  }

  /**
   * A picture instead of the camera.
   *
   * @param {PictureSource} source
   */
  async look(source) {
    this.#still = source
    await this.#examine(source, false)
  }

  async #follow() {
    this.#still = undefined
    const following = (this.#following = {})
    while (following === this.#following) {
      const { video } = this.#camera
      if (video && !(await this.#examine(video, true))) return
      await nextFrame(this.#training.isBusy ? WHILE_TRAINING : 0)
    }
  }

  /**
   * @param {PictureSource} source
   * @param {boolean} live
   * @returns {Promise<boolean>} false after a failure, which is said once
   */
  async #examine(source, live) {
    try {
      const examination = await this.#training.examine(source)
      const { input } = this.#training
      if (!examination || !input) return true
      this.#showLabels()
      const noneOfThese = this.#isNone(examination)
      this.#answer.show(examination.predictions, this.#labels ?? [], { live, noneOfThese })
      this.#seen.clear(input)
      this.#seen.show(examination, input)
      document.dispatchEvent(new CustomEvent('classify', { detail: examination.predictions }))
      return true
    } catch (thrown) {
      // The network was replaced under the question: the next frame asks the new one.
      if (live && this.#training.isBusy) return true
      this.#onError(thrown)
      return false
    }
  }

  /** @param {Examination} examination */
  #isNone({ predictions, noneOfThese }) {
    return noneOfThese === true || predictions[0].confidence < this.#threshold()
  }

  /** Other labels: the answer begins anew. */
  #showLabels() {
    const labels = this.#training.network?.labels
    if (!labels || labels.join('\n') === this.#labels?.join('\n')) return
    this.#labels = labels
    this.#answer.clear(labels)
    this.#evidence.hidden = false
  }
}

/**
 * @param {number} least milliseconds
 */
const nextFrame = (least) =>
  new Promise((resolve) => (least ? setTimeout(resolve, least) : requestAnimationFrame(resolve)))
