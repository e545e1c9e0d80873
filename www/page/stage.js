import { ConvletError } from '../client/errors.js'
import { byId } from './dom.js'

/** The picture being classified, as large as the page allows: a still, a snapshot or the camera. */
export class Stage {
  #still = byId('still', HTMLImageElement)
  #frame = byId('frame', HTMLCanvasElement)
  #badge = byId('badge', HTMLElement)
  /** Where the camera plays. */
  video = byId('video', HTMLVideoElement)

  /** The still picture: shown, or shown last. */
  get still() {
    return this.#still
  }

  /**
   * Shows a picture by its address, once it has turned out to be one.
   *
   * @param {string} url
   * @param {string} description
   */
  async showStill(url, description) {
    const image = new Image()
    await new Promise((resolve, reject) => {
      image.onload = resolve
      image.onerror = () => reject(new ConvletError('picture', `${description} cannot be read as a picture`))
      image.src = url
    })
    if (this.#still.src.startsWith('blob:')) URL.revokeObjectURL(this.#still.src)
    this.#still.src = url
    this.#still.alt = description
    this.#only(this.#still)
  }

  /**
   * Shows the camera; `mirrored` as a looking glass, which is what people expect of their own face.
   *
   * @param {{ mirrored: boolean }} options
   */
  showCamera({ mirrored }) {
    this.video.classList.toggle('mirrored', mirrored)
    this.#only(this.video)
  }

  /** Freezes the camera's present frame, shows it as the camera did and gives it back. */
  showFrame() {
    const { video } = this
    this.#frame.width = video.videoWidth
    this.#frame.height = video.videoHeight
    this.#frame.classList.toggle('mirrored', video.classList.contains('mirrored'))
    this.#frame.getContext('2d')?.drawImage(video, 0, 0)
    this.#only(this.#frame)
    return this.#frame
  }

  /**
   * @param {boolean} live
   */
  set live(live) {
    this.#badge.hidden = !live
  }

  /**
   * @param {HTMLElement} shown
   */
  #only(shown) {
    for (const element of [this.#still, this.#frame, this.video]) element.hidden = element !== shown
  }
}
