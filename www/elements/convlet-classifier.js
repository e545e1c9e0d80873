import { ConvletError } from '../client/errors.js'
import { Bars, BARS } from './support/bars.js'
import { CameraControl, STAGE } from './support/camera-control.js'
import { button, make } from './support/dom.js'
import { ConvletElement, define, whenSeen } from './support/element.js'
import { percent } from './support/format.js'
import { takeFiles } from './support/intake.js'
import { sharedModel } from './support/models.js'
import { sheet } from './support/sheet.js'
import { StateLine, STATE_LINE } from './support/state-line.js'

/** @import { Classifier, Examination } from '../client/classifier.js' */
/** @import { PictureSource } from '../client/pixels.js' */

const STYLE = sheet(`
:host { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 14rem), 1fr)); }
.row { margin-top: 0.75rem; }
.progress { display: block; width: 100%; height: 0.5rem; margin-top: 0.25rem; accent-color: var(--accent); }
.progress.idle { visibility: hidden; }
:host([data-over]) .stage { outline: 3px dashed var(--accent); outline-offset: -3px; }
`)

/**
 * `<convlet-classifier src="model.safetensors">`: what a picture shows, from a file, a drop, a paste or the camera.
 *
 * Attributes: `src`, `integrity` (sha256-...: any other file is refused), `camera` (offers it), `picture` (an address,
 * classified at once), `top-k`, `loading` (lazy, the default, or eager), `poster` (a picture shown until there is one).
 * Events: `load`, `progress`, `classify` and `error`, each with its `detail`; the last one's is a `ConvletError`.
 */
export class ConvletClassifier extends ConvletElement {
  /** @override */
  static styles = [BARS, STAGE, STATE_LINE, STYLE]

  static observedAttributes = ['src', 'integrity', 'camera', 'picture', 'top-k', 'loading', 'poster']

  /** The network, once loaded. @type {Classifier | undefined} */
  classifier
  /** The last answer. @type {Examination | undefined} */
  answer
  /** What is to be classified, as soon as there is a network. @type {PictureSource | undefined} */
  #picture
  /** Ends with the element's life. */
  #signal = AbortSignal.abort()
  /** Withdraws what is being classified when another picture comes. */
  #looking = new AbortController()
  /** Stands for the loop that hands on frames; any other that still waits for its frame ends. */
  #following = {}
  /** The picture chosen last: an earlier one may take longer to be read. */
  #taking = {}
  /** Lets a picture that the visitor chose go. @type {(() => void) | undefined} */
  #revoke
  #still = make('img', 'still')
  #state = new StateLine()
  #progress = make('progress', 'progress idle')
  #spoken = make('p', 'hidden-text')
  #bars = new Bars()
  #file = make('input', 'hidden-file')
  #camera = new CameraControl({
    onOpen: () => this.#follow(),
    onClose: () => {
      this.#looking.abort()
      this.#still.hidden = !this.#still.src
      // The answer is to what is shown.
      this.#bars.clear()
      this.#lookBesides()
    },
    onError: (thrown) => this.#fail(thrown),
  })

  constructor() {
    super()
    Object.assign(this.#file, { type: 'file', accept: 'image/*', hidden: true, tabIndex: -1, ariaLabel: 'Picture' })
    this.#spoken.setAttribute('aria-live', 'polite')
    this.#progress.ariaLabel = 'Loading the network'
    const choose = button('Choose a picture', () => this.#file.click(), 'choose')
    const stage = make('div', 'stage', this.#still, this.#camera.video)
    const controls = make('div', 'row', choose, this.#camera.button, this.#file)
    this.root.append(
      make('div', 'look', stage, controls),
      make('div', 'verdict', ...this.#bars.elements, this.#state.element, this.#progress, this.#spoken),
    )
  }

  /**
   * @override
   * @param {AbortSignal} signal
   */
  start(signal) {
    this.#signal = signal
    this.#camera.button.hidden = !this.hasAttribute('camera')
    this.#bars.reserve(this.#topK)
    const poster = this.getAttribute('picture') ?? this.getAttribute('poster')
    // A picture's pixels are to be read, not only shown: its host has to allow that.
    this.#still.crossOrigin = this.hasAttribute('picture') ? 'anonymous' : null
    if (!this.#picture) this.#showStill(poster ?? '', this.getAttribute('alt') ?? '')
    takeFiles(this, this.#file, signal, ([file]) => this.#take(file))
    signal.addEventListener('abort', () => this.#stop())
    if (this.getAttribute('loading') === 'eager') this.#load(signal)
    else whenSeen(this, signal, () => this.#load(signal))
  }

  /** Undoes what a life has begun; a picture that the visitor chose stays, for the next one. */
  #stop() {
    this.#camera.close()
    this.#looking.abort()
    this.classifier = undefined
    this.#progress.classList.add('idle')
  }

  get #topK() {
    return this.number('top-k', 3, 1, 20)
  }

  /**
   * @param {AbortSignal} signal
   */
  async #load(signal) {
    const src = this.getAttribute('src')
    if (!src) return this.#state.tell('No network is named yet: src is missing.')
    this.#state.tell('Loading the network')
    this.#progress.classList.remove('idle')
    try {
      const classifier = await sharedModel(src, {
        integrity: this.getAttribute('integrity') ?? undefined,
        signal,
        onProgress: (progress) => {
          if (progress.progress !== undefined) this.#progress.value = progress.progress
          this.emit('progress', progress)
        },
      })
      this.classifier = classifier
      const { labels, parameters, name } = classifier
      this.#state.tell(this.#picture || this.hasAttribute('picture') ? '' : 'Choose, drop or paste a picture.')
      this.emit('load', { name, labels, parameters })
      await this.#lookBesides()
    } catch (thrown) {
      if (!signal.aborted) this.#fail(thrown)
    } finally {
      if (!signal.aborted) this.#progress.classList.add('idle')
    }
  }

  /** Classifies what is there beside the camera: a picture that was given, or the still. */
  async #lookBesides() {
    if (this.#picture) await this.classify(this.#picture)
    else if (this.hasAttribute('picture')) await this.#stillLoaded().then(() => this.#look(this.#still))
  }

  /** Settles when the still picture is there, or has turned out not to be one. */
  async #stillLoaded() {
    if (!this.#still.complete)
      await new Promise((resolve) => {
        this.#still.addEventListener('load', resolve, { once: true })
        this.#still.addEventListener('error', resolve, { once: true })
      })
    // Not found, no picture, or not allowed: a page is not told which.
    if (this.#still.naturalWidth === 0) throw new ConvletError('io', `${this.getAttribute('picture')}: cannot be read as a picture`)
  }

  /**
   * What the picture shows, most likely first; shown as well, but not the picture itself.
   *
   * @param {PictureSource} source
   */
  async classify(source) {
    this.#picture = source
    await this.#look(source)
    return this.answer?.predictions ?? []
  }

  /**
   * @param {PictureSource} source
   */
  async #look(source) {
    this.#looking.abort()
    const { signal } = (this.#looking = new AbortController())
    const { classifier } = this
    if (!classifier) return
    this.#state.tell('')
    try {
      const answer = await classifier.examine(source, { signal })
      if (signal.aborted || this.#signal.aborted) return
      this.answer = answer
      const { predictions, noneOfThese = false } = answer
      this.#bars.show(predictions, classifier.labels, noneOfThese)
      if (!this.#camera.isOpen)
        this.#spoken.textContent = noneOfThese
          ? 'None of these'
          : `${predictions[0].label}, ${percent(predictions[0].confidence)}`
      this.emit('classify', answer)
    } catch (thrown) {
      if (!signal.aborted && !this.#signal.aborted) this.#fail(thrown)
    }
  }

  /**
   * @param {File} file
   */
  async #take(file) {
    const taking = (this.#taking = {})
    const url = URL.createObjectURL(file)
    try {
      await readable(url, file)
      if (taking !== this.#taking) return URL.revokeObjectURL(url)
    } catch (thrown) {
      // What is shown stays, with its answer.
      URL.revokeObjectURL(url)
      return this.#fail(thrown)
    }
    this.#camera.close()
    this.#revoke?.()
    this.#revoke = () => URL.revokeObjectURL(url)
    this.#showStill(url, file.name || 'The pasted picture')
    await this.classify(file)
  }

  /** Classifies frames, each when the one before has its answer, for as long as the camera is on. */
  async #follow() {
    this.#still.hidden = true
    const following = (this.#following = {})
    while (this.#camera.isOpen && following === this.#following) {
      await this.#look(this.#camera.video)
      await this.#camera.nextFrame()
    }
  }

  /**
   * @param {string} src
   * @param {string} alt
   */
  #showStill(src, alt) {
    this.#still.hidden = src === ''
    this.#still.alt = alt
    if (src === '') this.#still.removeAttribute('src')
    else if (this.#still.getAttribute('src') !== src) this.#still.src = src
  }

  /** @param {unknown} thrown */
  #fail(thrown) {
    this.emit('error', this.#state.fail(thrown))
  }
}

/**
 * Settles once the browser has read the picture.
 *
 * @param {string} url
 * @param {File} file
 */
async function readable(url, file) {
  await Object.assign(new Image(), { src: url }).decode().catch(() => {
    throw new ConvletError('picture', `${file.name || 'What was pasted'}: expected a picture that this browser reads, got ${file.type || 'a file of no known kind'}`)
  })
}

define('convlet-classifier', ConvletClassifier)
