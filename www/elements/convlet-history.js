import { button, choice, draw, make, slider } from './support/dom.js'
import { ConvletElement, define, every, wantsStillness, whenSeen } from './support/element.js'
import { fixed } from './support/format.js'
import { sharedModel } from './support/models.js'
import { Plot, PLOT } from './support/plot.js'
import { sheet } from './support/sheet.js'

/** @typedef {{ [metric: string]: number[] }} History one number an epoch, by Keras's names */

const STYLE = sheet(`
.legend { display: flex; flex-wrap: wrap; gap: 0 1.25rem; margin-bottom: 0.5rem; font-size: 0.875rem; }
.key::before { content: ''; display: inline-block; width: 1.5rem; margin-right: 0.375rem; vertical-align: middle; border-top: 3px dashed var(--ink-soft); }
.key.second::before { border-top: 3px solid var(--accent); }
.now { stroke: var(--ink-soft); stroke-dasharray: 3 3; }
.ball { stroke: var(--paper); stroke-width: 2; fill: var(--ink-soft); }
.ball.second { fill: var(--accent); }
.row { margin-top: 0.75rem; }
.words { margin-top: 0.75rem; min-height: 4.5em; }
`)

/** Milliseconds an epoch stays while the training is replayed. */
const STEP = 250

/**
 * `<convlet-history src="model.safetensors">`: the training curve that a model file carries in its metadata, replayed
 * epoch by epoch. Attributes: `src`, `integrity`, `metric` (accuracy or loss). A program sets `history` instead of `src`.
 * Events: `load`, `error`.
 */
export class ConvletHistory extends ConvletElement {
  /** @override */
  static styles = [PLOT, STYLE]

  static observedAttributes = ['src', 'integrity', 'metric']

  /** @type {History} */
  #history = {}
  #epoch = 0
  #metric = 'accuracy'
  #plot = new Plot({ from: 0, to: 1, low: 0, high: 1 }, { across: 'epoch', up: '' })
  #words = make('p', 'words')
  #controls = make('div', 'row')
  /** @type {AbortController | undefined} */
  #playing
  #play = button('Replay', () => (this.#playing ? this.pause() : this.play()), 'primary play')
  /** @type {((value: number) => void) | undefined} */
  #setSlider

  /** Loss and accuracy, one number an epoch. */
  get history() {
    return this.#history
  }

  set history(history) {
    const wasAtEnd = this.#epoch === this.epochs
    this.#history = history
    if (wasAtEnd || this.#epoch > this.epochs) this.#epoch = this.epochs
    this.#rebuild()
  }

  /** How many epochs there are. */
  get epochs() {
    return this.#history[this.#metric]?.length ?? 0
  }

  /**
   * @override
   * @param {AbortSignal} signal
   */
  start(signal) {
    this.#metric = this.getAttribute('metric') === 'loss' ? 'loss' : 'accuracy'
    signal.addEventListener('abort', () => this.pause())
    const legend = make(
      'p',
      'legend',
      make('span', 'key', 'training pictures'),
      make('span', 'key second', 'validation pictures, never trained on'),
    )
    this.root.replaceChildren(legend, this.#plot.element, this.#controls, this.#words)
    this.#rebuild()
    if (this.hasAttribute('src')) whenSeen(this, signal, () => this.#load(signal))
  }

  /**
   * @param {AbortSignal} signal
   */
  async #load(signal) {
    try {
      const integrity = this.getAttribute('integrity') ?? undefined
      const { training } = await sharedModel(this.getAttribute('src') ?? '', { integrity, signal })
      this.history = training.history ?? {}
      if (this.epochs === 0) this.#words.textContent = 'This model file tells nothing of its training.'
      this.emit('load', this.history)
    } catch (thrown) {
      if (signal.aborted) return
      this.#words.textContent = thrown instanceof Error ? thrown.message : String(thrown)
      this.emit('error', thrown)
    }
  }

  /** Draws the training anew, from its first epoch on. */
  play() {
    this.pause()
    if (this.epochs === 0) return
    const playing = (this.#playing = new AbortController())
    this.#play.textContent = 'Pause'
    if (this.#epoch >= this.epochs) this.#show(1)
    every(STEP, playing.signal, () => {
      if (this.#epoch < this.epochs) this.#show(this.#epoch + 1)
      else this.pause()
      return this.#playing === playing
    })
  }

  pause() {
    this.#playing?.abort()
    this.#playing = undefined
    this.#play.textContent = 'Replay'
  }

  #rebuild() {
    const { epochs } = this
    const all = [...(this.#history[this.#metric] ?? []), ...(this.#history[`val_${this.#metric}`] ?? [])]
    const [least, most] = all.length > 0 ? [Math.min(...all), Math.max(...all)] : [0, 1]
    const margin = Math.max(0.02, (most - least) * 0.08)
    const high = this.#metric === 'accuracy' ? Math.min(1, most + margin) : most + margin
    this.#plot.resize({ from: 1, to: Math.max(epochs === 0 ? 10 : 2, epochs), low: Math.max(0, least - margin), high }, { up: this.#metric })
    this.#play.hidden = wantsStillness()
    this.#play.disabled = epochs === 0
    const epoch = slider(
      'Epoch',
      { min: 1, max: Math.max(1, epochs), step: 1, value: Math.max(1, this.#epoch) },
      (value) => `${value} of ${epochs}`,
      (value) => {
        this.pause()
        this.#show(value)
      },
    )
    this.#setSlider = epoch.set
    const metric = choice('Shown', ['accuracy', 'loss'], this.#metric, (name) => {
      this.#metric = name
      this.#rebuild()
      this.#controls.querySelector('select')?.focus()
    })
    // Their place is kept: the first epoch must not move what is below.
    epoch.element.style.visibility = epochs === 0 ? 'hidden' : ''
    this.#controls.replaceChildren(this.#play, metric, epoch.element)
    this.#show(this.#epoch)
  }

  /**
   * @param {number} epoch
   */
  #show(epoch) {
    this.#epoch = Math.min(epoch, this.epochs)
    const { content } = this.#plot
    content.replaceChildren()
    const words = []
    for (const [prefix, className, name] of [
      ['', 'first', 'training'],
      ['val_', 'second', 'validation'],
    ]) {
      const values = (this.#history[`${prefix}${this.#metric}`] ?? []).slice(0, this.#epoch)
      if (values.length === 0) continue
      const points = values.map((value, place) => /** @type {[number, number]} */ ([place + 1, value]))
      const last = /** @type {[number, number]} */ (points.at(-1))
      content.append(
        this.#plot.line(points, `line ${className}`),
        this.#plot.place(draw('circle', { r: 5, class: `ball ${className}` }), ...last),
      )
      words.push(`${name} ${this.#metric} ${fixed(last[1], 4)}`)
    }
    if (this.#epoch > 0) this.#setSlider?.(this.#epoch)
    this.#plot.element.ariaLabel = words.length > 0 ? `Up to epoch ${this.#epoch}: ${words.join(', ')}` : 'No epoch yet'
    this.#words.textContent = words.length > 0 ? `Epoch ${this.#epoch}: ${words.join(', ')}.` : ''
  }
}

define('convlet-history', ConvletHistory)
