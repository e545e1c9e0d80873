import { Camera } from '../../client/camera.js'
import { button, make } from './dom.js'
import { sheet } from './sheet.js'

/** Where the video is, or a still picture in its place. */
export const STAGE = sheet(`
.stage {
  position: relative; aspect-ratio: 4 / 3; overflow: hidden; border-radius: var(--round); background: var(--sunken);
}
.still, .video { display: block; width: 100%; height: 100%; object-fit: contain; }
.mirrored { transform: scaleX(-1); }
`)

/**
 * @typedef {object} CameraEvents
 * @property {() => void} onOpen
 * @property {() => void} onClose
 * @property {(thrown: unknown) => void} onError
 */

/** A button that turns the camera on and off, and the video that shows it. */
export class CameraControl {
  video = make('video', 'video')
  button = button('Use the camera', () => (this.isOpen ? this.close() : this.open()), 'camera')
  /** @type {Camera | undefined} */
  #camera
  /** Ends the wait for a camera that is asked for. @type {AbortController | undefined} */
  #asking
  #events

  /**
   * @param {CameraEvents} events
   */
  constructor(events) {
    this.#events = events
    this.video.hidden = true
    this.video.ariaLabel = 'The camera'
  }

  get isOpen() {
    return this.#camera !== undefined
  }

  /** Asks for the camera. */
  async open() {
    this.#asking?.abort()
    const { signal } = (this.#asking = new AbortController())
    this.button.textContent = 'Waiting for the camera …'
    try {
      const camera = await Camera.open(this.video, { signal })
      this.#camera = camera
      camera.onEnd(() => this.#lost())
      this.video.classList.toggle('mirrored', camera.facesUser)
      this.video.hidden = false
      this.button.textContent = 'Stop the camera'
      this.#events.onOpen()
    } catch (thrown) {
      if (signal.aborted) return
      this.button.textContent = 'Use the camera'
      this.#events.onError(thrown)
    }
  }

  /** Unplugged, or taken back. */
  #lost() {
    this.close()
    this.#events.onError(Camera.gone('choose a picture instead'))
  }

  /** Lets the camera go, and whoever waits for it. */
  close() {
    this.#asking?.abort()
    this.button.textContent = 'Use the camera'
    if (!this.#camera) return
    this.#camera.stop()
    this.#camera = undefined
    this.video.hidden = true
    this.#events.onClose()
  }

  /** Settles when the video shows another frame. */
  async nextFrame() {
    await this.#camera?.nextFrame()
  }
}
