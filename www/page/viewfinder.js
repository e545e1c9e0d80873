import { Camera } from '../client/camera.js'
import { listCameras } from './cameras.js'
import { byId } from './dom.js'

/** @import { Stage } from './stage.js' */

/**
 * @typedef {object} ViewfinderEvents
 * @property {(source: HTMLCanvasElement) => void} onSnapshot a frame was frozen
 * @property {(source: HTMLVideoElement) => Promise<void>} onFrame the camera shows another frame, in live mode
 * @property {(thrown: unknown) => void} onError
 */

/** The camera's controls: on, off, which one, snapshot, live. */
export class Viewfinder {
  #choose = byId('choose', HTMLElement)
  #panel = byId('viewfinder', HTMLElement)
  #start = byId('camera', HTMLButtonElement)
  #snap = byId('snap', HTMLButtonElement)
  #live = byId('live', HTMLButtonElement)
  #devices = byId('devices', HTMLSelectElement)
  /** @type {Camera | undefined} */
  #camera
  /** Ends the wait for a camera that is being asked for. @type {AbortController | undefined} */
  #asking
  /** Whether the camera is on but a snapshot is shown in its place. */
  #frozen = false
  /** Stands for the loop that hands on live frames; any other loop that still waits for its frame ends. */
  #following = {}
  #stage
  #events

  /**
   * @param {Stage} stage
   * @param {ViewfinderEvents} events
   */
  constructor(stage, events) {
    this.#stage = stage
    this.#events = events
    this.#start.addEventListener('click', () => this.#open())
    this.#snap.addEventListener('click', () => (this.#frozen ? this.#resume() : this.#snapshot()))
    this.#live.addEventListener('click', () => this.#setLive(!this.#isLive))
    this.#devices.addEventListener('change', () => this.#open(this.#devices.value))
    byId('stop', HTMLButtonElement).addEventListener('click', () => this.#backToStart())
    document.addEventListener('keydown', (event) => this.#key(event))
  }

  /** Lets the camera go. */
  stop() {
    this.#asking?.abort()
    this.#camera?.stop()
    this.#camera = undefined
    this.#stage.live = false
    this.#panel.hidden = true
    this.#choose.hidden = false
  }

  /** Stops on the picture last seen. */
  #backToStart() {
    if (this.#camera && !this.#frozen) this.#snapshot()
    this.stop()
    this.#start.focus()
  }

  get #isLive() {
    return this.#live.ariaPressed === 'true'
  }

  /**
   * @param {string} [deviceId]
   */
  async #open(deviceId) {
    this.#asking?.abort()
    const asking = new AbortController()
    this.#asking = asking
    this.#start.textContent = 'Waiting for the camera …'
    try {
      this.#camera?.stop()
      this.#camera = await Camera.open(this.#stage.video, { deviceId, signal: asking.signal })
      this.#camera.onEnd(() => this.#lost())
      await listCameras(this.#devices, this.#camera)
      this.#choose.hidden = true
      this.#panel.hidden = false
      this.#resume()
    } catch (thrown) {
      if (asking.signal.aborted) return
      this.stop()
      this.#events.onError(thrown)
    } finally {
      this.#start.textContent = 'Use the camera'
    }
  }

  #lost() {
    this.#backToStart()
    this.#events.onError(Camera.gone('choose a picture instead'))
  }

  #resume() {
    this.#frozen = false
    this.#snap.textContent = 'Take a picture'
    this.#stage.showCamera({ mirrored: this.#camera?.facesUser ?? false })
    this.#setLive(this.#isLive)
    this.#snap.focus()
  }

  #snapshot() {
    this.#frozen = true
    this.#snap.textContent = 'Back to the camera'
    this.#stage.live = false
    this.#live.hidden = true
    this.#events.onSnapshot(this.#stage.showFrame())
  }

  /**
   * @param {boolean} live
   */
  #setLive(live) {
    this.#live.hidden = false
    this.#live.ariaPressed = String(live)
    this.#stage.live = live
    if (live) this.#follow()
  }

  /** Hands on frames, each when the one before has its answer, for as long as the camera is live. */
  async #follow() {
    const { video } = this.#stage
    const following = (this.#following = {})
    while (this.#camera && this.#isLive && !this.#frozen && following === this.#following) {
      await this.#events.onFrame(video)
      await this.#camera?.nextFrame()
    }
  }

  /**
   * @param {KeyboardEvent} event
   */
  #key(event) {
    if (!this.#camera) return
    if (event.key === 'Escape') this.#backToStart()
    if (event.key === ' ' && event.target === document.body) {
      event.preventDefault()
      this.#snap.click()
    }
  }
}
