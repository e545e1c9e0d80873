import { shrink } from '../client/shrink.js'

/** @import { CameraPanel } from './camera-panel.js' */
/** @import { Project } from './project.js' */

/** Milliseconds from a picture of a burst to the next: hands move by then. */
const EVERY = 100

/** Pictures one after the other into a class, from the press of a button to its release. */
export class Recorder {
  #camera
  #project
  #onError
  /** What the present burst is; another one ends it. */
  #burst = {}

  /**
   * @param {CameraPanel} camera
   * @param {Project} project
   * @param {(thrown: unknown) => void} onError
   */
  constructor(camera, project, onError) {
    this.#camera = camera
    this.#project = project
    this.#onError = onError
    camera.addEventListener('off', () => this.stop())
  }

  /**
   * Records until `stop`; at least one picture. The camera is opened first if it is off, and nothing recorded then.
   *
   * @param {number} classId
   * @param {(count: number) => void} onPicture how many there are so far
   */
  async start(classId, onPicture) {
    const burst = (this.#burst = {})
    if (!this.#camera.isOn) return void (await this.#camera.open())
    let count = 0
    do {
      const { video } = this.#camera
      const next = performance.now() + EVERY
      try {
        if (video) {
          await this.#project.addPictures(classId, [await shrink(video)])
          onPicture(++count)
        }
      } catch (thrown) {
        return this.#onError(thrown)
      }
      await new Promise((resolve) => setTimeout(resolve, next - performance.now()))
    } while (burst === this.#burst)
  }

  stop() {
    this.#burst = {}
  }
}
