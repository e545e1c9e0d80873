import { Camera } from '../client/camera.js'
import { listCameras } from '../page/cameras.js'
import { byId } from '../page/dom.js'

/** @import { Stage } from '../page/stage.js' */

/** The camera of the studio: on, off, which one, mirrored or not. */
export class CameraPanel extends EventTarget {
  #start = byId('camera', HTMLButtonElement)
  #panel = byId('camera-panel', HTMLElement)
  #devices = byId('devices', HTMLSelectElement)
  #mirror = byId('mirror', HTMLButtonElement)
  /** @type {Camera | undefined} */
  #camera
  /** Ends the wait for a camera that is being asked for. @type {AbortController | undefined} */
  #asking
  #stage
  #onError

  /**
   * @param {Stage} stage
   * @param {(thrown: unknown) => void} onError
   */
  constructor(stage, onError) {
    super()
    this.#stage = stage
    this.#onError = onError
    this.#start.addEventListener('click', () => this.open())
    this.#devices.addEventListener('change', () => this.open(this.#devices.value))
    this.#mirror.addEventListener('click', () => this.#setMirror(this.#mirror.ariaPressed !== 'true'))
    byId('camera-stop', HTMLButtonElement).addEventListener('click', () => {
      this.stop()
      this.#start.focus()
    })
  }

  get isOn() {
    return this.#camera !== undefined
  }

  /** The playing camera, once there are frames to take. */
  get video() {
    const { video } = this.#stage
    return this.#camera && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA ? video : undefined
  }

  /**
   * @param {string} [deviceId]
   * @returns {Promise<boolean>} whether it is on
   */
  async open(deviceId) {
    this.#asking?.abort()
    const { signal } = (this.#asking = new AbortController())
    this.#start.textContent = 'Waiting for the camera …'
    try {
      this.#camera?.stop()
      this.#camera = await Camera.open(this.#stage.video, { deviceId, signal })
      this.#camera.onEnd(() => this.#lost())
      await listCameras(this.#devices, this.#camera)
    } catch (thrown) {
      if (signal.aborted) return false
      this.stop()
      this.#onError(thrown)
      return false
    } finally {
      this.#start.textContent = 'Use the camera'
    }
    this.#setMirror(this.#camera.facesUser)
    this.#stage.live = true
    this.#start.hidden = true
    this.#panel.hidden = false
    this.dispatchEvent(new Event('on'))
    return true
  }

  /** Lets the camera go. */
  stop() {
    this.#asking?.abort()
    this.#camera?.stop()
    this.#camera = undefined
    this.#stage.live = false
    this.#stage.video.hidden = true
    this.#panel.hidden = true
    this.#start.hidden = false
    this.dispatchEvent(new Event('off'))
  }

  #lost() {
    this.stop()
    this.#onError(Camera.gone('add pictures from files'))
  }

  /** @param {boolean} mirrored */
  #setMirror(mirrored) {
    this.#mirror.ariaPressed = String(mirrored)
    this.#stage.showCamera({ mirrored })
  }
}
