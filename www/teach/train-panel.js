import { Trainer } from '../client/trainer.js'
import { byId, make } from '../page/dom.js'
import { percent, whole } from '../page/format.js'
import { MODELS } from '../page/models.js'
import { ArchitectureEditor } from './architecture.js'
import { AugmentationPanel } from './augmentation.js'
import { ENGINE } from './engine.js'
import { augmentOption } from './settings.js'

/** @import { Project } from './project.js' */
/** @import { Settings } from './settings.js' */
/** @import { Depth, TrainProgress } from '../client/trainer.js' */
/** @import { Recipe, Training } from './training.js' */

/** The numbers that may be set, by the ids of their inputs; a share is shown in percent. */
const NUMBERS = /** @type {const} */ ({
  epochs: 1,
  batchSize: 1,
  learningRate: 1,
  validationSplit: 100,
  seed: 1,
})

/** Training: how deep, by what settings, how far it is. */
export class TrainPanel {
  #train = byId('train', HTMLButtonElement)
  #pause = byId('pause', HTMLButtonElement)
  #stop = byId('stop', HTMLButtonElement)
  #hint = byId('train-hint', HTMLElement)
  #progress = byId('progress', HTMLElement)
  #bar = byId('progress-bar', HTMLProgressElement)
  #text = byId('progress-text', HTMLElement)
  #curves = byId('curves', HTMLElement)
  #base = byId('base', HTMLSelectElement)
  #project
  #training
  #settings
  #architecture
  #augmentation
  #onError
  /** The visitor's own model to begin from. @type {Blob | undefined} */
  #ownBase
  /** @type {import('./plots.js').Plots | undefined} */
  #plots

  /**
   * @param {{ project: Project, training: Training, settings: Settings, onError: (thrown: unknown) => void }} parts
   */
  constructor({ project, training, settings, onError }) {
    this.#project = project
    this.#training = training
    this.#settings = settings
    this.#onError = onError
    this.#architecture = new ArchitectureEditor(settings.values.layers, (layers) => settings.set({ layers }))
    this.#augmentation = new AugmentationPanel(project, settings, () => this.#baseModel(), onError)
    this.#watchDepth()
    this.#watchNumbers()
    this.#listBases()
    this.#train.addEventListener('click', () => this.#run(() => training.start(this.#recipe())))
    this.#stop.addEventListener('click', () => training.stop())
    this.#pause.addEventListener('click', () => (training.state === 'paused' ? training.resume() : training.pause()))
    for (const event of ['classes', 'pictures']) project.addEventListener(event, () => this.#show())
    training.addEventListener('state', () => this.#show())
    training.addEventListener('examples', (event) => this.#showExamples(/** @type {CustomEvent} */ (event).detail))
    training.addEventListener('step', (event) => this.#showStep(/** @type {CustomEvent} */ (event).detail))
    training.addEventListener('epoch', () => this.#plots?.show(training.history))
    this.#show()
    if (training.history.length) this.#showPlots()
  }

  /** Goes on with the training that was interrupted. */
  goOn() {
    return this.#run(() => this.#training.goOn())
  }

  /**
   * Begins from the visitor's own model file.
   *
   * @param {Blob} file
   */
  useBase(file) {
    this.#ownBase = file
    this.#listBases()
    this.#base.value = 'file'
    this.#settings.set({ base: 'file' })
  }

  /** @param {() => Promise<void>} train */
  async #run(train) {
    try {
      // The curves come when they come: nothing waits for them.
      this.#showPlots().catch(this.#onError)
      await train()
    } catch (thrown) {
      this.#onError(thrown)
    }
  }

  /** @returns {Recipe} */
  #recipe() {
    const { depth, numbers, augmentation } = this.#settings.values
    const base = depth === 'scratch' ? { architecture: this.#architecture.architecture } : this.#baseModel()
    return { depth, base, options: { ...numbers, ...(augmentation && { augment: augmentOption(augmentation) }) } }
  }

  /** @returns {string | Blob} */
  #baseModel() {
    const { value } = this.#base
    if (value === 'file' && this.#ownBase) return this.#ownBase
    return value === 'address' ? requested() : (MODELS.find(({ id }) => id === value) ?? MODELS[0]).url.href
  }

  #listBases() {
    const bases = MODELS.map(({ id, name, about }) => ({ id, text: `${name}: ${about}` }))
    if (requested()) bases.unshift({ id: 'address', text: `From the address: ${requested()}` })
    if (this.#ownBase) bases.push({ id: 'file', text: this.#ownBase instanceof File ? this.#ownBase.name : 'Your own model' })
    this.#base.replaceChildren(
      ...bases.map(({ id, text }) => {
        const option = make('option', '', text)
        option.value = id
        return option
      }),
    )
    if (bases.some(({ id }) => id === this.#settings.values.base)) this.#base.value = this.#settings.values.base
  }

  #watchDepth() {
    /** @type {NodeListOf<HTMLInputElement>} */
    const radios = document.querySelectorAll('input[name="depth"]')
    for (const radio of radios) {
      radio.checked = radio.value === this.#settings.values.depth
      radio.addEventListener('change', () => {
        this.#settings.set({ depth: /** @type {Depth} */ (radio.value) })
        this.#show()
        this.#augmentation.show()
      })
    }
    this.#base.addEventListener('change', () => this.#settings.set({ base: this.#base.value }))
    const file = byId('base-file', HTMLInputElement)
    byId('base-open', HTMLButtonElement).addEventListener('click', () => file.click())
    file.addEventListener('change', () => {
      const chosen = file.files?.[0]
      file.value = ''
      if (chosen) this.useBase(chosen)
    })
  }

  #watchNumbers() {
    for (const [name, scale] of Object.entries(NUMBERS)) {
      const input = byId(name, HTMLInputElement)
      const set = this.#settings.values.numbers[name]
      if (set !== undefined) input.value = String(set * scale)
      input.addEventListener('change', () => {
        const numbers = { ...this.#settings.values.numbers }
        if (input.value && input.checkValidity()) numbers[name] = input.valueAsNumber / scale
        else delete numbers[name]
        this.#settings.set({ numbers })
      })
    }
  }

  #show() {
    const { state } = this.#training
    const { depth } = this.#settings.values
    const busy = this.#training.isBusy
    this.#train.hidden = busy
    this.#train.disabled = !this.#project.isTrainable
    this.#hint.hidden = busy || this.#project.isTrainable
    this.#stop.hidden = !busy || state === 'judging'
    this.#pause.hidden = state !== 'running' && state !== 'paused'
    this.#pause.textContent = state === 'paused' ? 'Go on' : 'Pause'
    this.#progress.hidden = !busy
    if (state === 'judging') this.#text.textContent = 'Judging the network'
    if (state === 'paused') this.#text.textContent = 'Paused'
    byId('scratch', HTMLElement).hidden = depth !== 'scratch'
    byId('base-row', HTMLElement).hidden = depth === 'scratch'
    this.#architecture.classes = this.#project.trainable.length
    this.#showDefaults().catch(this.#onError)
    this.#showHistory()
  }

  /** An empty field says what holds for it. */
  async #showDefaults() {
    const { depth } = this.#settings.values
    const defaults = await Trainer.defaults(depth, { examples: this.#project.size, ...ENGINE })
    if (depth !== this.#settings.values.depth) return
    for (const [name, scale] of Object.entries(NUMBERS)) {
      const value = /** @type {{ [name: string]: unknown }} */ (defaults)[name]
      byId(name, HTMLInputElement).placeholder = typeof value === 'number' ? String(value * scale) : ''
    }
  }

  async #showPlots() {
    const { Plots } = await import('./plots.js')
    this.#curves.hidden = false
    this.#plots ??= new Plots()
    this.#plots.show(this.#training.history)
  }

  /** @param {{ loaded: number, total: number }} detail */
  #showExamples({ loaded, total }) {
    this.#bar.value = 0
    this.#text.textContent = `Preparing ${whole(loaded)} of ${whole(total)} pictures`
  }

  /** @param {TrainProgress} progress */
  #showStep({ phase, epoch, epochs, done, total, secondsLeft }) {
    this.#bar.value = phase === 'prepare' ? done / total : (epoch + done / total) / epochs
    if (this.#training.state !== 'running') return
    this.#text.textContent =
      phase === 'prepare'
        ? `Looking at ${whole(done)} of ${whole(total)} pictures`
        : `Epoch ${Math.min(epoch + 1, epochs)} of ${epochs}${timeLeft(secondsLeft)}`
  }

  /** The last epoch in words, for those who do not see the curves. */
  #showHistory() {
    const last = this.#training.history.at(-1)
    const held = last?.val_accuracy
    byId('curves-text', HTMLElement).textContent = last
      ? `After ${this.#training.history.length} epochs: loss ${last.loss.toFixed(3)}, accuracy ${percent(last.accuracy)}` +
        (held === undefined ? '' : `; on pictures held out ${percent(held)}`)
      : ''
  }
}

/** The base that the page's address names, if it does. */
function requested() {
  const wished = new URLSearchParams(location.search).get('model')
  return wished ? new URL(wished, location.href).href : ''
}

/** @param {number | undefined} seconds */
function timeLeft(seconds) {
  if (seconds === undefined || !Number.isFinite(seconds)) return ''
  if (seconds < 1) return ', less than a second left'
  if (seconds < 90) return `, ${Math.round(seconds)} s left`
  return `, ${Math.round(seconds / 60)} min left`
}
