import { Trainer } from '../client/trainer.js'
import { byId, make } from '../page/dom.js'
import { augmentOption } from './settings.js'

/** @import { Project } from './project.js' */
/** @import { Augmentation, Settings } from './settings.js' */

/** Samples shown at a time. */
const SAMPLES = 8

/** How much pictures may change in training, and samples of it, as the trainer itself makes them. */
export class AugmentationPanel {
  #on = byId('augment', HTMLInputElement)
  #fields = byId('augment-fields', HTMLFieldSetElement)
  #samples = byId('augment-samples', HTMLElement)
  #fold = byId('augment-fold', HTMLDetailsElement)
  #project
  #settings
  #base
  #onError
  /** Makes the samples; it never trains. @type {Promise<Trainer> | undefined} */
  #trainer
  /** Only the last samples asked for are shown. */
  #asked = 0

  /**
   * @param {Project} project
   * @param {Settings} settings
   * @param {() => string | Blob} base the network whose input the samples have
   * @param {(thrown: unknown) => void} onError
   */
  constructor(project, settings, base, onError) {
    this.#project = project
    this.#settings = settings
    this.#base = base
    this.#onError = onError
    const { augmentation } = settings.values
    this.#on.checked = augmentation.on
    this.#on.addEventListener('change', () => this.#set({ on: this.#on.checked }))
    for (const name of /** @type {const} */ (['rotation', 'shift', 'zoom', 'brightness', 'contrast'])) {
      const input = byId(`augment-${name}`, HTMLInputElement)
      const output = byId(`augment-${name}-value`, HTMLElement)
      const unit = name === 'rotation' ? '°' : '%'
      input.value = String(augmentation[name])
      const say = () => (output.textContent = `± ${input.value}${unit}`)
      say()
      input.addEventListener('input', () => {
        say()
        this.#set({ [name]: input.valueAsNumber })
      })
    }
    const flip = byId('augment-flip', HTMLInputElement)
    flip.checked = augmentation.flip
    flip.addEventListener('change', () => this.#set({ flip: flip.checked }))
    this.#fold.addEventListener('toggle', () => (this.#fold.open ? this.#draw() : this.#close()))
    byId('augment-again', HTMLButtonElement).addEventListener('click', () => this.#draw())
    this.#show()
  }

  /** @param {Partial<Augmentation>} changes */
  #set(changes) {
    this.#settings.set({ augmentation: { ...this.#settings.values.augmentation, ...changes } })
    this.#show()
    this.#draw()
  }

  #show() {
    this.#fields.disabled = !this.#settings.values.augmentation.on
  }

  async #draw() {
    const picture = this.#project.trainable[0]?.pictures.at(-1)
    const asked = ++this.#asked
    byId('augment-empty', HTMLElement).hidden = picture !== undefined
    if (picture === undefined || !this.#fold.open) return this.#samples.replaceChildren()
    try {
      this.#trainer ??= Trainer.create({ base: this.#base(), labels: ['a', 'b'], depth: 'head', deterministic: true })
      const trainer = await this.#trainer
      const blob = await this.#project.blob(picture)
      if (!blob || asked !== this.#asked) return
      const augment = augmentOption(this.#settings.values.augmentation)
      const samples = await trainer.preview(blob, { augment, seed: asked, count: SAMPLES })
      if (asked === this.#asked) this.#samples.replaceChildren(...samples.map(drawn))
    } catch (thrown) {
      this.#trainer = undefined
      this.#onError(thrown)
    }
  }

  /** Gives the trainer's memory back. */
  #close() {
    this.#asked++
    this.#trainer?.then((trainer) => trainer.dispose(), () => {})
    this.#trainer = undefined
    this.#samples.replaceChildren()
  }
}

/** @param {ImageData} sample */
function drawn(sample) {
  const canvas = make('canvas', '')
  canvas.width = sample.width
  canvas.height = sample.height
  canvas.getContext('2d')?.putImageData(sample, 0, 0)
  return canvas
}
