import { Classifier } from '../client/classifier.js'
import { ConvletError } from '../client/errors.js'
import { shrink } from '../client/shrink.js'
import { Trainer } from '../client/trainer.js'
import { Bars, BARS } from './support/bars.js'
import { CameraControl, STAGE } from './support/camera-control.js'
import { button, make } from './support/dom.js'
import { download } from './support/download.js'
import { ConvletElement, define, whenSeen } from './support/element.js'
import { fixed, percent, whole } from './support/format.js'
import { takeFiles } from './support/intake.js'
import { sheet } from './support/sheet.js'
import { StateLine, STATE_LINE } from './support/state-line.js'
import { ClassBox, CLASS_BOX } from './trainer/class-box.js'

/** @import { Examination } from '../client/classifier.js' */
/** @import { PictureSource } from '../client/pixels.js' */
/** @import { Depth, Logs, TrainProgress } from '../client/trainer.js' */

/** Milliseconds from a picture of a burst to the next: hands move by then. */
const BURST_EVERY = 100
/** Milliseconds between two frames while it trains, which is to get on meanwhile. */
const WHILE_TRAINING = 200

const STYLE = sheet(`
:host { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 16rem), 1fr)); align-items: start; }
.look, .lesson, .classes { display: grid; gap: 0.75rem; align-content: start; min-width: 0; }
.state { min-height: 3em; }
.progress { display: block; width: 100%; height: 0.5rem; accent-color: var(--accent); }
.figures { min-height: 1.5em; font-size: 0.875rem; color: var(--ink-soft); }
.idle { visibility: hidden; }
`)

/**
 * `<convlet-trainer base="model.safetensors" labels="mine, yours" camera>`: the visitor's own classes, taught in the page.
 * Pictures come by holding a button while the camera runs, from files, by drop or paste; what has been learned is tried at
 * once. Pictures stay in the page, and with the element where it is moved.
 *
 * Attributes: `base` (a model file to begin from), `labels` (separated by commas), `depth` (head, the default, whole or
 * scratch), `epochs`, `camera` (offers it), `loading` (lazy, the default, or eager).
 * Events: `load` ({ labels, parameters }), `picture` ({ label, count }), `progress` (a TrainProgress), `epoch` ({ epoch,
 * logs }), `train` ({ accuracy, split }), `classify` (an Examination) and `error` (a ConvletError).
 * From a script: `add(picture, label)`, `counts`, `train()`, `stop()`, `classify(picture)`, `model` (the file, as a Blob).
 */
export class ConvletTrainer extends ConvletElement {
  /** @override */
  static styles = [BARS, CLASS_BOX, STAGE, STATE_LINE, STYLE]

  static observedAttributes = ['base', 'labels', 'depth', 'epochs', 'camera', 'loading']

  /** The model file that the last training ended in. @type {Blob | undefined} */
  model
  /** By label. @type {Map<string, Blob[]>} */
  #pictures = new Map()
  /** @type {Map<string, ClassBox>} */
  #boxes = new Map()
  /** Opened ahead of the next training, so that a base that is none is known of at once. @type {Promise<Trainer> | undefined} */
  #next
  /** The one under way. @type {Trainer | undefined} */
  #trainer
  /** Whether a training was asked for and is not over. */
  #isTraining = false
  /** What the last training came to. @type {Classifier | undefined} */
  #classifier
  /** What is recorded into a class; another, or none, ends it. */
  #burst = {}
  /** Stands for the loop that hands on frames. */
  #following = {}
  /** What the visitor tries, where it is not the camera. @type {Blob | undefined} */
  #tried
  /** Ends with the element's life. */
  #signal = AbortSignal.abort()
  /** @type {(() => void) | undefined} */
  #revoke
  #still = make('img', 'still')
  #state = new StateLine()
  #figures = make('p', 'figures')
  #progress = make('progress', 'progress')
  #spoken = make('p', 'hidden-text')
  #bars = new Bars()
  #file = make('input', 'hidden-file')
  #look
  #classes = make('div', 'classes')
  #train = button('Train', () => this.train(), 'primary train')
  #stop = button('Stop here', () => this.stop(), 'stop')
  #download = button('Download the model', () => this.model && download(this.model, 'model.safetensors'), 'download')
  #camera = new CameraControl({
    onOpen: () => this.#follow(),
    onClose: () => {
      this.#burst = {}
      this.#still.hidden = !this.#still.src
      // The answer is to what is shown.
      this.#bars.clear()
      if (this.#tried) this.classify(this.#tried)
    },
    onError: (thrown) => this.#fail(thrown),
  })

  constructor() {
    super()
    Object.assign(this.#file, { type: 'file', accept: 'image/*', hidden: true, tabIndex: -1, ariaLabel: 'Picture to try' })
    this.#spoken.setAttribute('aria-live', 'polite')
    this.#progress.ariaLabel = 'Training'
    this.#still.hidden = true
    const stage = make('div', 'stage', this.#still, this.#camera.video)
    const ways = make('div', 'row', this.#camera.button, button('Try a picture', () => this.#file.click(), 'try'), this.#file)
    this.#look = make('div', 'look', stage, ways, make('div', 'verdict', ...this.#bars.elements), this.#spoken)
    const actions = make('div', 'row', this.#train, this.#stop, this.#download)
    this.root.append(
      make('div', 'lesson', this.#classes, actions, this.#progress, this.#figures, this.#state.element),
      this.#look,
    )
  }

  get labels() {
    const labels = (this.getAttribute('labels') ?? '').split(',').map((label) => label.trim())
    return [...new Set(labels.filter(Boolean))]
  }

  /** How many pictures each class has. */
  get counts() {
    return Object.fromEntries(this.labels.map((label) => [label, this.#of(label).length]))
  }

  /** The network that the last training ended in. */
  get classifier() {
    return this.#classifier
  }

  /** @param {string} label */
  #of(label) {
    const pictures = this.#pictures.get(label) ?? []
    this.#pictures.set(label, pictures)
    return pictures
  }

  /**
   * @override
   * @param {AbortSignal} signal
   */
  start(signal) {
    this.#signal = signal
    const { labels } = this
    const hasCamera = this.hasAttribute('camera')
    this.#camera.button.hidden = !hasCamera
    this.#bars.reserve(Math.min(4, Math.max(2, labels.length)))
    this.#boxes = new Map(labels.map((label) => [label, this.#box(label, { hasCamera, signal })]))
    this.#classes.replaceChildren(...[...this.#boxes.values()].map(({ element }) => element))
    this.#showCounts()
    takeFiles(this.#look, this.#file, signal, ([file]) => this.#try(file))
    signal.addEventListener('abort', () => this.#end())
    if (this.getAttribute('loading') === 'eager') this.#load(signal)
    else whenSeen(this, signal, () => this.#load(signal))
  }

  /** Undoes what a life has begun; pictures and what was learned from them stay, for the next one. */
  #end() {
    this.#camera.close()
    this.#burst = {}
    this.#next?.then((trainer) => trainer.dispose()).catch(() => {})
    this.#classifier?.dispose().catch(() => {})
    this.#next = this.#classifier = undefined
  }

  /**
   * @param {string} label
   * @param {{ hasCamera: boolean, signal: AbortSignal }} options
   */
  #box(label, options) {
    return new ClassBox(label, options, {
      onFiles: (files) => this.#addFiles(files, label),
      onHold: () => this.#record(label),
      onRelease: () => (this.#burst = {}),
      onRemove: (picture) => this.#keepOnly(label, (other) => other !== picture),
      onClear: () => this.#keepOnly(label, () => false),
    })
  }

  /**
   * @param {AbortSignal} signal
   */
  async #load(signal) {
    if (!this.getAttribute('base')) return this.#state.tell('No network is named yet: base is missing.')
    this.#state.tell('Loading the network')
    try {
      const { labels, parameters } = await (this.#next = this.#create())
      const { model } = this
      if (model) {
        const classifier = await Classifier.load(model)
        if (signal.aborted) return void (await classifier.dispose())
        this.#classifier = classifier
      }
      signal.throwIfAborted()
      this.#state.tell(model ? 'Trained. Show it something.' : this.#hint())
      this.emit('load', { labels, parameters })
    } catch (thrown) {
      this.#next = undefined
      if (!signal.aborted) this.#fail(thrown)
    }
  }

  #create() {
    const { labels } = this
    const wish = this.getAttribute('depth')
    const depth = /** @type {Depth} */ (wish && ['whole', 'scratch'].includes(wish) ? wish : 'head')
    return Trainer.create({ base: new URL(this.getAttribute('base') ?? '', document.baseURI), labels, depth, signal: this.#signal })
  }

  #hint() {
    return this.hasAttribute('camera')
      ? 'Give each class a few dozen pictures: hold its button while the camera runs, or add files. Then train.'
      : 'Give each class a few dozen pictures: choose them, drop them or paste them. Then train.'
  }

  /**
   * Adds a picture to a class.
   *
   * @param {Blob | HTMLVideoElement} source
   * @param {string} label
   */
  async add(source, label) {
    if (!this.labels.includes(label))
      throw new ConvletError('argument', `picture: expected one of ${this.labels.join(', ')}, got ${label}`)
    const pictures = this.#of(label)
    pictures.push(await shrink(source))
    this.#showCounts()
    this.emit('picture', { label, count: pictures.length })
  }

  /**
   * @param {File[]} files
   * @param {string} label
   */
  async #addFiles(files, label) {
    try {
      for (const file of files) await this.add(file, label)
      this.#spoken.textContent = `${label}: ${whole(this.#of(label).length)} pictures`
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  /**
   * Pictures one after the other, until the button is let go; at least one. The camera is opened first if it is off, and
   * nothing recorded then.
   *
   * @param {string} label
   */
  async #record(label) {
    const burst = (this.#burst = {})
    if (!this.#camera.isOpen) return void this.#camera.open()
    const box = this.#boxes.get(label)
    if (box) box.recording = true
    try {
      do {
        const next = performance.now() + BURST_EVERY
        await this.add(this.#camera.video, label)
        await new Promise((resolve) => setTimeout(resolve, next - performance.now()))
      } while (burst === this.#burst)
      this.#spoken.textContent = `${label}: ${whole(this.#of(label).length)} pictures`
    } catch (thrown) {
      if (!this.#signal.aborted) this.#fail(thrown)
    } finally {
      if (box) box.recording = false
    }
  }

  /**
   * @param {string} label
   * @param {(picture: Blob) => boolean} isKept
   */
  #keepOnly(label, isKept) {
    this.#pictures.set(label, this.#of(label).filter(isKept))
    this.#showCounts()
    this.emit('picture', { label, count: this.#of(label).length })
  }

  #showCounts() {
    for (const [label, box] of this.#boxes) box.show(this.#of(label))
    this.#showButtons()
  }

  #showButtons() {
    const filled = this.labels.filter((label) => this.#of(label).length > 0)
    this.#train.hidden = this.#isTraining
    this.#train.disabled = filled.length < 2
    this.#stop.hidden = !this.#isTraining
    this.#download.hidden = !this.model || this.#isTraining
    this.#progress.classList.toggle('idle', !this.#isTraining)
  }

  /** Trains on the pictures there are. What goes wrong is told by an `error` event. */
  async train() {
    const signal = this.#signal
    if (this.#isTraining || signal.aborted) return
    this.#isTraining = true
    this.#progress.removeAttribute('value')
    const hadFocus = this.#train.matches(':focus')
    this.#showButtons()
    if (hadFocus) this.#stop.focus()
    this.#state.tell('Training')
    /** @type {Trainer | undefined} */
    let trainer
    try {
      const opened = this.#next ?? this.#create()
      this.#next = undefined
      trainer = await opened
      await this.#teach(trainer, signal)
      await this.#judge(trainer, signal)
    } catch (thrown) {
      if (!signal.aborted) this.#fail(thrown)
    } finally {
      this.#trainer = undefined
      await trainer?.dispose()
      this.#isTraining = false
      const hadFocus = this.#stop.matches(':focus')
      this.#showButtons()
      if (hadFocus) this.#train.focus()
    }
  }

  /**
   * @param {Trainer} trainer
   * @param {AbortSignal} signal
   */
  async #teach(trainer, signal) {
    const { labels } = trainer
    const pictures = labels.flatMap((label) => this.#of(label).map((picture) => ({ label, picture })))
    await Promise.all(pictures.map(({ label, picture }) => trainer.addExample(picture, label, { signal })))
    this.#trainer = trainer
    const epochs = this.number('epochs', 0, 0, 1000) || undefined
    await trainer.train({
      signal,
      options: { epochs },
      onStep: (progress) => this.#showProgress(progress),
      onEpochEnd: (epoch, logs) => this.#showEpoch(epoch, logs),
    })
  }

  /**
   * @param {TrainProgress} progress
   */
  #showProgress(progress) {
    const { phase, epoch, epochs, done, total } = progress
    if (phase === 'step') this.#progress.value = (epoch + done / total) / epochs
    else this.#figures.textContent = `Looking at the pictures: ${whole(done)} of ${whole(total)}`
    this.emit('progress', progress)
  }

  /**
   * @param {number} epoch
   * @param {Logs} logs
   */
  #showEpoch(epoch, logs) {
    this.#figures.textContent = `Epoch ${whole(epoch + 1)}: loss ${fixed(logs.loss, 3)}, ${percent(logs.accuracy)} right`
    this.emit('epoch', { epoch, logs })
    if (this.#tried && !this.#camera.isOpen) this.classify(this.#tried)
  }

  /**
   * What came of it, on pictures that it was not trained on where there are any.
   *
   * @param {Trainer} trainer
   * @param {AbortSignal} signal
   */
  async #judge(trainer, signal) {
    const { accuracy = 0, indices, split } = await trainer.evaluate({ signal })
    const model = await trainer.save()
    const classifier = await trainer.toClassifier()
    if (signal.aborted) return void (await classifier.dispose())
    await this.#classifier?.dispose()
    this.#classifier = classifier
    this.model = model
    const right = `${whole(Math.round(accuracy * indices.length))} of ${whole(indices.length)}`
    this.#state.tell(
      split === 'validation'
        ? `Trained: ${right} pictures that it had not seen before are named rightly. Show it something.`
        : `Trained: ${right} pictures are named rightly, but it was trained on them. Show it something new.`,
    )
    this.emit('train', { accuracy, split })
    if (this.#tried && !this.#camera.isOpen) await this.classify(this.#tried)
  }

  /** Ends the training; what was learned so far is kept. */
  stop() {
    this.#trainer?.stop()
  }

  /**
   * What the picture shows, by the network as it is now, in training or trained; shown as well.
   *
   * @param {PictureSource} source
   * @returns {Promise<Examination | undefined>} undefined as long as nothing was trained
   */
  async classify(source) {
    const signal = this.#signal
    try {
      const answer = await this.#examine(source)
      const isGone = source === this.#camera.video && !this.#camera.isOpen
      if (!answer || signal.aborted || isGone) return undefined
      this.#bars.show(answer.predictions, this.labels, false)
      const [{ label, confidence }] = answer.predictions
      if (!this.#camera.isOpen && !this.#isTraining) this.#spoken.textContent = `${label}, ${percent(confidence)}`
      this.emit('classify', answer)
      return answer
    } catch (thrown) {
      // The network was replaced under the question: the next one asks the new one.
      if (!signal.aborted && !this.#isTraining) this.#fail(thrown)
    }
  }

  /** @param {PictureSource} source */
  async #examine(source) {
    return this.#trainer?.state === 'running' ? this.#trainer.classify(source) : this.#classifier?.examine(source)
  }

  /**
   * @param {File} file
   */
  async #try(file) {
    this.#camera.close()
    this.#tried = file
    const url = URL.createObjectURL(file)
    this.#revoke?.()
    this.#revoke = () => URL.revokeObjectURL(url)
    Object.assign(this.#still, { src: url, alt: file.name || 'The pasted picture', hidden: false })
    if (!(await this.classify(file)) && !this.#isTraining && !this.#classifier) this.#state.tell(`Nothing is learned yet. ${this.#hint()}`)
  }

  /** Frames, each when the one before has its answer, for as long as the camera is on. */
  async #follow() {
    this.#still.hidden = true
    const following = (this.#following = {})
    while (this.#camera.isOpen && following === this.#following) {
      await this.classify(this.#camera.video)
      if (this.#isTraining) await new Promise((resolve) => setTimeout(resolve, WHILE_TRAINING))
      await this.#camera.nextFrame()
    }
  }

  /** @param {unknown} thrown */
  #fail(thrown) {
    this.emit('error', this.#state.fail(thrown))
  }
}

define('convlet-trainer', ConvletTrainer)
