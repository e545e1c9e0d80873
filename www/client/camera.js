import { ConvletError, messageOf } from './errors.js'

/**
 * The camera as a playing video element. `Camera.open` rejects with one of four codes, each with its own message.
 */
export class Camera {
  /** What the camera sends. */
  #stream

  /**
   * @param {MediaStream} stream
   * @param {HTMLVideoElement} video
   */
  constructor(stream, video) {
    this.#stream = stream
    this.video = video
  }

  /**
   * Asks for a camera and plays it in `video`. The promise settles when the visitor has answered, which may be never.
   *
   * @param {HTMLVideoElement} video
   * @param {{ deviceId?: string, facing?: 'user' | 'environment', signal?: AbortSignal }} [options]
   */
  static async open(video, { deviceId, facing = 'environment', signal } = {}) {
    if (!navigator.mediaDevices)
      throw new ConvletError('camera-insecure', 'A camera needs a secure page: open this page by https or on localhost.')
    const wish = deviceId ? { deviceId: { ideal: deviceId } } : { facingMode: { ideal: facing } }
    /** @type {MediaStream} */
    let stream
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...wish, width: { ideal: 640 } } })
    } catch (thrown) {
      signal?.throwIfAborted()
      throw cameraError(thrown)
    }
    const camera = new Camera(stream, video)
    try {
      signal?.throwIfAborted()
      await camera.#play()
      signal?.throwIfAborted()
    } catch (thrown) {
      camera.stop()
      signal?.throwIfAborted()
      throw cameraError(thrown)
    }
    return camera
  }

  /** Every camera of this machine; named only once one of them may be used. */
  static async devices() {
    const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? []
    return devices.filter((device) => device.kind === 'videoinput')
  }

  /** The device that sends, as `devices` names it. */
  get deviceId() {
    return this.#track.getSettings().deviceId
  }

  /** Whether the camera looks at its user, who then expects a mirror. */
  get facesUser() {
    return this.#track.getSettings().facingMode !== 'environment'
  }

  get #track() {
    return this.#stream.getVideoTracks()[0]
  }

  /**
   * What to say then.
   *
   * @param {string} instead what the visitor can do without a camera
   */
  static gone(instead) {
    return new ConvletError('camera-absent', `The camera went away. Connect it again, or ${instead}.`)
  }

  /**
   * Calls back once if the camera goes away by itself: unplugged, or taken back by the visitor.
   *
   * @param {() => void} callback
   */
  onEnd(callback) {
    this.#track.addEventListener('ended', callback, { once: true })
  }

  async #play() {
    this.video.muted = true
    this.video.playsInline = true
    this.video.srcObject = this.#stream
    await this.video.play()
  }

  /** Settles when the video shows another frame and the page is seen. @returns {Promise<unknown>} */
  nextFrame() {
    const { video } = this
    return new Promise((resolve) =>
      'requestVideoFrameCallback' in video ? video.requestVideoFrameCallback(resolve) : requestAnimationFrame(resolve),
    )
  }

  /** Lets the camera go: its light goes out. */
  stop() {
    for (const track of this.#stream.getTracks()) track.stop()
    if (this.video.srcObject === this.#stream) this.video.srcObject = null
  }
}

/** Which failure of `getUserMedia` means what, and what to do about it. */
const FAILURES = /** @type {const} */ ({
  'camera-denied': {
    names: ['NotAllowedError', 'SecurityError'],
    message: 'The camera was refused. Allow it for this page in the address bar, or choose a picture instead.',
  },
  'camera-absent': {
    names: ['NotFoundError', 'OverconstrainedError', 'DevicesNotFoundError'],
    message: 'No camera was found. Connect one, or choose a picture instead.',
  },
  'camera-in-use': {
    names: ['NotReadableError', 'AbortError', 'TrackStartError'],
    message: 'The camera does not start: another program may be using it. Close that program and try again.',
  },
})

/**
 * @param {unknown} thrown by `getUserMedia` or `play`
 */
export function cameraError(thrown) {
  const name = thrown instanceof Error || thrown instanceof DOMException ? thrown.name : ''
  for (const [code, failure] of Object.entries(FAILURES))
    if (failure.names.some((known) => known === name))
      return new ConvletError(/** @type {keyof typeof FAILURES} */ (code), failure.message, { cause: thrown })
  return new ConvletError('camera-in-use', `The camera does not start (${messageOf(thrown)}).`, { cause: thrown })
}
