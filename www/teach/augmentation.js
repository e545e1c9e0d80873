import { Trainer } from '../client/trainer.js'
import { byId, make } from '../page/dom.js'
import { ENGINE } from './engine.js'
import { augmentOption, shownAugmentation } from './settings.js'

/** @import { Project } from './project.js' */
/** @import { Augmentation, Settings } from './settings.js' */

/** What is set by a slider. */
const SLIDERS = /** @type {const} */ (['rotation', 'shift', 'zoom', 'brightness', 'contrast'])
/** Samples shown at a time. */
const SAMPLES = 8

/** How much pictures may change in training, and samples of it, as the trainer itself makes them. */
export class AugmentationPanel {
  #on = byId('augment', HTMLInputElement)
  #flip = byId('augment-flip', HTMLInputElement)
  #fields = byId('augment-fields', HTMLFieldSetElement)
  #samples = byId('augment-samples', HTMLElement)
  #fold = byId('augment-fold', HTMLDetailsElement)
  #project
  #settings
  #base
  #onError
  /** Makes the samples; it never trains. @type {Promise<Trainer> | undefined} */
  #trainer
  /** What the fields show. */
  #shown = shownAugmentation(false)
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
    this.#on.addEventListener('change', () => this.#set({ on: this.#on.checked }))
    for (const name of SLIDERS) {
      const input = byId(`augment-${name}`, HTMLInputElement)
      input.addEventListener('input', () => this.#set({ [name]: input.valueAsNumber }))
    }
    this.#flip.addEventListener('change', () => this.#set({ flip: this.#flip.checked }))
    byId('augment-reset', HTMLButtonElement).addEventListener('click', () => {
      settings.set({ augmentation: undefined })
      this.show()
    })
    this.#fold.addEventListener('toggle', () => (this.#fold.open ? this.#draw() : this.#close()))
    byId('augment-again', HTMLButtonElement).addEventListener('click', () => this.#draw())
    this.show()
  }

  /** @param {Partial<Augmentation>} changes */
  #set(changes) {
    this.#settings.set({ augmentation: { ...this.#shown, ...changes } })
    this.show()
  }

  /** Shows what holds: what the visitor set, else what the trainer does at this depth. */
  async show() {
    const { augmentation, depth } = this.#settings.values
    try {
      this.#shown = augmentation ?? shownAugmentation((await Trainer.defaults(depth, { examples: this.#project.size, ...ENGINE })).augment)
    } catch (thrown) {
      return this.#onError(thrown)
    }
    this.#on.checked = this.#shown.on
    this.#flip.checked = this.#shown.flip
    for (const name of SLIDERS) {
      byId(`augment-${name}`, HTMLInputElement).value = String(this.#shown[name])
      byId(`augment-${name}-value`, HTMLElement).textContent = `± ${this.#shown[name]}${name === 'rotation' ? '°' : '%'}`
    }
    this.#fields.disabled = !this.#shown.on
    await this.#draw()
  }

  async #draw() {
    const picture = this.#project.trainable[0]?.pictures.at(-1)
    const asked = ++this.#asked
    byId('augment-empty', HTMLElement).hidden = picture !== undefined
    if (picture === undefined || !this.#fold.open) return this.#samples.replaceChildren()
    try {
      this.#trainer ??= Trainer.create({ base: this.#base(), labels: ['a', 'b'], depth: 'head', ...ENGINE })
      const trainer = await this.#trainer
      const blob = await this.#project.blob(picture)
      if (!blob || asked !== this.#asked) return
      const { augmentation } = this.#settings.values
      const augment = augmentation ? augmentOption(augmentation) : (await Trainer.defaults(this.#settings.values.depth, ENGINE)).augment
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
