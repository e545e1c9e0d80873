import { ConvletError } from '../client/errors.js'
import { ArithmeticPanel, PANEL } from './inspector/arithmetic-panel.js'
import { rangeOf, signedRangeOf } from './inspector/colour.js'
import { face, liveliest, mosaic, peak, photo, pixels, slices } from './inspector/faces.js'
import { HEAT, HeatView } from './inspector/heat-view.js'
import { MAP, MapView } from './inspector/map-view.js'
import { describe, describeLearning, paceOf, shapeText } from './inspector/words.js'
import { button, make, slider } from './support/dom.js'
import { ConvletElement, define, every, wantsStillness, whenSeen } from './support/element.js'
import { sharedModel } from './support/models.js'
import { sheet } from './support/sheet.js'
import { StateLine, STATE_LINE } from './support/state-line.js'

/** @import { Classifier } from '../client/classifier.js' */
/** @import { Arithmetic, Inspection, Learning } from '../client/inspector.js' */
/** @import { PictureSource } from '../client/pixels.js' */
/** @import { Trainer } from '../client/trainer.js' */
/** @import { Face } from './inspector/faces.js' */

/** Milliseconds a step stays while playing. */
const STEP = 300

const STYLE = sheet(`
:host { display: grid; gap: 1rem; min-height: 40rem; align-content: start; }
.state:empty { display: none; }
.strip { display: flex; gap: 0.5rem; overflow-x: auto; padding: 4px; }
.layer {
  flex: none; display: grid; gap: 0.125rem; justify-items: start; width: 9.75rem; padding: 0.5rem; border: 1px solid var(--line);
  border-radius: var(--round); background: var(--paper); color: inherit; font: inherit; font-size: 0.875rem; text-align: start; cursor: pointer;
}
.layer[aria-pressed='true'] { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
.layer.follows { margin-inline-start: -0.375rem; border-inline-start-style: dashed; }
.layer-name { font-weight: 650; max-width: 100%; overflow-wrap: anywhere; }
.kernels { display: flex; flex-wrap: wrap; gap: 0.5rem 1.5rem; }
.kernels > div { min-width: 0; max-width: 100%; }
.kernel { display: block; max-width: 100%; image-rendering: pixelated; }
.pace { min-height: 2.6em; line-height: 1.3; }
.detail { display: grid; gap: 0.75rem; min-width: 0; }
.channels { display: block; max-width: 100%; image-rendering: pixelated; cursor: pointer; }
.maps { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; align-items: start; }
.maps > .arithmetic { flex: 1 1 22rem; min-width: 0; overflow-x: auto; }
`)

/**
 * `<convlet-inspector src="model.safetensors" picture="cat.jpg">`: a network at work on one picture, layer by layer.
 * Attributes: `src`, `picture`, `integrity`, `loading` (lazy or eager). From a script: `show(classifier, picture)`, or
 * `show(trainer, picture)` again and again while it trains: gradients and how the kernels move are shown as well then.
 * Events: `inspect` (the Inspection), `point` ({ layer, index, arithmetic }) and `error`.
 */
export class ConvletInspector extends ConvletElement {
  /** @override */
  static styles = [MAP, HEAT, PANEL, STATE_LINE, STYLE]

  static observedAttributes = ['src', 'picture', 'integrity', 'loading']

  /** @type {Inspection | undefined} */
  inspection
  /** The layer shown. */
  layer = 0
  channel = 0
  /** The number pointed at. */
  index = 0
  /** @type {Face | undefined} */
  #output
  /** @type {Face | undefined} */
  #input
  #inputRange = { low: 0, high: 1 }
  /** What has been pointed at while another number's arithmetic is under way. @type {{ byKeyboard: boolean } | undefined} */
  #next
  #pointing = false
  #signal = AbortSignal.abort()
  #showing = new AbortController()
  /** Ends the play. @type {AbortController | undefined} */
  #playing
  #state = new StateLine()
  #spoken = make('p', 'hidden-text')
  #strip = make('div', 'strip')
  #words = make('p', 'words')
  #mosaic = make('canvas', 'channels')
  /** The chosen channel's kernel, a square an input channel; in training its gradient and its way so far, too. */
  #kernels = [
    kernelView('The kernel of this channel, a square for each input channel: red above zero, blue below'),
    kernelView('Its gradient in the last step: it moves the other way'),
    kernelView('How far it has moved since the training began'),
  ]
  #kernelBox = make('div', 'kernels', ...this.#kernels.map(({ element }) => element))
  #heat = new HeatView((thrown) => this.#fail(thrown))
  #inputView = new MapView()
  #outputView = new MapView((row, column, byKeyboard) => this.#point(row, column, byKeyboard))
  #panel = new ArithmeticPanel()
  #play = button('Play', () => (this.#playing ? this.pause() : this.play()), 'primary play')
  #pick = slider('Channel', { min: 0, max: 1, step: 1, value: 0 }, String, (channel) => this.#choose(channel))
  #detail = make(
    'div',
    'detail',
    this.#words,
    this.#pick.element,
    this.#mosaic,
    this.#kernelBox,
    make('div', 'row', this.#play, button('Back', () => this.#step(-1), 'back'), button('Step', () => this.#step(1), 'step')),
    make('div', 'maps', this.#inputView.element, this.#outputView.element, this.#panel.element),
  )

  constructor() {
    super()
    this.#spoken.setAttribute('aria-live', 'polite')
    this.#strip.role = 'group'
    this.#strip.ariaLabel = 'Layers'
    this.#mosaic.ariaHidden = 'true'
    this.#mosaic.addEventListener('click', (event) => this.#choose(this.#channelAt(event)))
    this.#panel.element.tabIndex = 0
    this.#panel.element.role = 'region'
    this.#panel.element.ariaLabel = 'The arithmetic'
    this.#strip.addEventListener('keydown', (event) => {
      const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
      const next = /** @type {HTMLElement | undefined} */ (this.#strip.children[this.layer + step])
      if (!step || !next) return
      event.preventDefault()
      next.focus()
      next.click()
    })
    this.#blank(true)
    this.root.append(this.#state.element, this.#heat.element, this.#strip, this.#detail, this.#spoken)
  }

  /**
   * @override
   * @param {AbortSignal} signal
   */
  start(signal) {
    this.#signal = signal
    this.#play.hidden = wantsStillness()
    signal.addEventListener('abort', () => {
      this.pause()
      this.#showing.abort()
      this.inspection = undefined
    })
    if (!this.hasAttribute('src')) return this.#state.tell('No network is shown yet.')
    if (this.getAttribute('loading') === 'eager') this.#load(signal)
    else whenSeen(this, signal, () => this.#load(signal))
  }

  /**
   * @param {AbortSignal} signal
   */
  async #load(signal) {
    this.#state.tell('Loading the network')
    try {
      const integrity = this.getAttribute('integrity') ?? undefined
      const classifier = await sharedModel(this.getAttribute('src') ?? '', { integrity, inspect: true, signal })
      const address = this.getAttribute('picture')
      if (!address) return this.#state.tell('No picture is shown yet.')
      const picture = Object.assign(new Image(), { crossOrigin: 'anonymous', src: address })
      await picture.decode().catch(() => {
        throw new ConvletError('io', `${address}: cannot be read as a picture`)
      })
      if (!signal.aborted) await this.show(classifier, picture)
    } catch (thrown) {
      if (!signal.aborted) this.#fail(thrown)
    }
  }

  /**
   * Looks inside `network` at work on `picture`.
   *
   * @param {Classifier | Trainer} network
   * @param {PictureSource} picture
   */
  async show(network, picture) {
    this.#showing.abort()
    const { signal } = (this.#showing = new AbortController())
    try {
      const inspection = await network.inspect(picture, { signal })
      const outputs = await Promise.all(inspection.layers.map((_, layer) => inspection.output(layer)))
      const learning = inspection.isLearning ? await inspection.learning() : []
      if (signal.aborted || this.#signal.aborted) return
      const names = inspection.layers.map(({ name }) => name).join()
      const same = this.inspection?.layers.map(({ name }) => name).join() === names
      if (!inspection.isLearning) this.pause()
      this.inspection = inspection
      this.#learning = learning
      if (!same) this.#strip.replaceChildren(...inspection.layers.map((_, layer) => this.#tile(layer)))
      for (const [layer, tile] of [...this.#strip.children].entries()) this.#draw(/** @type {HTMLElement} */ (tile), outputs[layer], layer)
      await this.#heat.show(inspection)
      this.#state.tell('')
      this.#blank(false)
      await this.choose(same ? this.layer : 0)
      this.emit('inspect', inspection)
    } catch (thrown) {
      if (!signal.aborted && !this.#signal.aborted) this.#fail(thrown)
    }
  }

  /** How each layer learns, where it does. @type {Learning[]} */
  #learning = []

  /**
   * @param {number} layer
   */
  #tile(layer) {
    const { name, className, outputShape } = /** @type {Inspection} */ (this.inspection).layers[layer]
    // A long name is broken where it is joined.
    const words = name.split('_').flatMap((word, place) => (place > 0 ? ['_', make('wbr', ''), word] : [word]))
    const lines = [make('span', 'soft', className), make('span', 'soft', shapeText(outputShape)), make('span', 'soft pace')]
    const tile = make('button', 'layer', make('canvas', ''), make('span', 'layer-name', ...words), ...lines)
    tile.type = 'button'
    // A convolution, its normalization and its activation belong together.
    tile.classList.toggle('follows', ['BatchNormalization', 'ReLU', 'LeakyReLU', 'Activation', 'Softmax', 'Dropout'].includes(className))
    tile.addEventListener('click', () => this.choose(layer))
    return tile
  }

  /**
   * A layer's liveliest map, as its tile shows it.
   *
   * @param {HTMLElement} tile
   * @param {Float32Array} values
   * @param {number} layer
   */
  #draw(tile, values, layer) {
    const canvas = /** @type {HTMLCanvasElement} */ (tile.firstElementChild)
    const shown = face(values, /** @type {Inspection} */ (this.inspection).shape(layer))
    canvas.ariaHidden = 'true'
    const image = pixels(shown, liveliest(shown), rangeOf(values))
    Object.assign(canvas, { width: image.width, height: image.height })
    Object.assign(canvas.style, { height: '3.5rem', maxWidth: '100%', imageRendering: 'pixelated' })
    canvas.getContext('2d')?.putImageData(image, 0, 0)
    const pace = /** @type {HTMLElement} */ (tile.lastElementChild)
    pace.hidden = this.#learning.length === 0
    pace.textContent = paceOf(this.#learning[layer])
  }

  /**
   * Shows a layer.
   *
   * @param {number} layer
   */
  async choose(layer) {
    const { inspection } = this
    if (!inspection) return
    const isOther = this.layer !== layer || !this.#output
    this.layer = layer
    const { inputs } = inspection.layers[layer]
    const [output, input] = await Promise.all([inspection.output(layer), inspection.output(inputs[0])])
    if (this.layer !== layer || this.inspection !== inspection) return
    this.#output = face(output, inspection.shape(layer))
    this.#input = face(input, inspection.shape(inputs[0]))
    this.#inputRange = rangeOf(input)
    for (const [place, tile] of [...this.#strip.children].entries()) tile.ariaPressed = String(place === layer)
    const { offsetLeft, offsetWidth } = /** @type {HTMLElement} */ (this.#strip.children[layer])
    this.#strip.scrollLeft = offsetLeft - (this.#strip.clientWidth - offsetWidth) / 2
    this.#words.textContent = [describe(inspection.layers[layer]), describeLearning(this.#learning[layer])].join(' ')
    const { channels, width } = this.#output
    this.#pick.element.hidden = this.#mosaic.hidden = channels === 1
    this.#pick.input.max = String(channels - 1)
    const scale = Math.max(1, Math.round(48 / width))
    const room = this.#detail.clientWidth || 300
    this.#columns = Math.max(1, Math.min(channels, Math.floor(room / ((width + 1) * scale))))
    if (channels > 1) mosaic(this.#mosaic, this.#output, rangeOf(output), this.#columns)
    this.#mosaic.style.width = `${this.#mosaic.width * scale}px`
    // What is looked at while it learns stays in sight.
    const stays = !isOther && inspection.isLearning
    await this.#choose(isOther ? liveliest(this.#output) : Math.min(this.channel, channels - 1), stays ? this.index : undefined)
  }

  /** Of the mosaic. */
  #columns = 1

  /**
   * @param {MouseEvent} event
   */
  #channelAt({ offsetX, offsetY }) {
    const { width, height, channels } = /** @type {Face} */ (this.#output)
    const scale = this.#mosaic.width / this.#mosaic.clientWidth
    const column = Math.floor((offsetX * scale) / (width + 1))
    return Math.min(channels - 1, Math.floor((offsetY * scale) / (height + 1)) * this.#columns + column)
  }

  /**
   * @param {number} channel
   * @param {number} [index] the number to point at; the largest of the channel, if left out
   */
  async #choose(channel, index) {
    const { inspection } = this
    const output = this.#output
    if (!inspection || !output) return
    this.channel = channel
    this.#pick.set(channel)
    const { name } = inspection.layers[this.layer]
    const title = output.channels > 1 ? `Output: ${name}, channel ${channel}` : `Output: ${name}`
    this.#outputView.draw(title, pixels(output, channel, rangeOf(output.values)))
    await this.#showKernel(inspection, channel)
    const place = index === undefined ? peak(output, channel) : Math.floor(index / output.channels)
    await this.#goTo(Math.floor(place / output.width), place % output.width, false)
  }

  /**
   * @param {Inspection} inspection
   * @param {number} channel
   */
  async #showKernel(inspection, channel) {
    const { layer } = this
    const shape = inspection.layers[layer].weights.find(({ name }) => name === 'kernel')?.shape ?? []
    const hasPlaces = shape.length === 4 && shape[0] * shape[1] > 1 && shape[3] > 1
    this.#kernelBox.hidden = !hasPlaces
    if (!hasPlaces) return
    const { kernel: now } = await inspection.weights(layer)
    const shown = [now]
    if (inspection.isLearning) {
      const { kernel: gradients } = await inspection.weights(layer, { of: 'gradients' })
      const { kernel: beginning } = await inspection.weights(layer, { of: 'beginning' })
      shown.push(gradients, now.map((weight, place) => weight - beginning[place]))
    }
    if (this.layer !== layer || this.channel !== channel || this.inspection !== inspection) return
    for (const [place, { element, canvas }] of this.#kernels.entries()) {
      element.hidden = place >= shown.length
      if (element.hidden) continue
      const own = slices(shown[place], shape, channel)
      mosaic(canvas, own, signedRangeOf(own.values), Math.min(own.channels, 16))
      const scale = Math.max(4, Math.min(12, Math.floor(160 / canvas.width)))
      canvas.style.width = `${canvas.width * scale}px`
    }
  }

  /**
   * @param {number} row
   * @param {number} column
   * @param {boolean} byKeyboard
   */
  #point(row, column, byKeyboard) {
    this.pause()
    this.#goTo(row, column, byKeyboard)
  }

  /**
   * Shows how the number at a place came about. While one is computed only the last place asked for waits.
   *
   * @param {number} row
   * @param {number} column
   * @param {boolean} byKeyboard
   */
  async #goTo(row, column, byKeyboard) {
    const output = this.#output
    if (!output) return
    const index = (row * output.width + column) * output.channels + this.channel
    if (index >= output.values.length) return
    this.index = index
    this.#outputView.at = { row, column }
    this.#outputView.frame({ row, column, rows: 1, columns: 1 })
    this.#next = { byKeyboard }
    if (this.#pointing) return
    this.#pointing = true
    try {
      while (this.#next) await this.#explain()
    } catch (thrown) {
      if (!this.#signal.aborted) this.#fail(thrown)
    } finally {
      this.#pointing = false
    }
  }

  async #explain() {
    const { inspection, layer, index } = this
    const byKeyboard = this.#next?.byKeyboard
    this.#next = undefined
    if (!inspection) return
    const arithmetic = await inspection.arithmetic(layer, index)
    // What has been pointed at since comes next.
    if (this.inspection !== inspection || this.layer !== layer) return
    const words = this.#panel.show(inspection, layer, arithmetic)
    this.#frameInput(inspection, arithmetic)
    const { row, column } = this.#outputView.at
    if (byKeyboard) this.#spoken.textContent = `Row ${row}, column ${column}. ${words}`
    this.emit('point', { layer, index, arithmetic })
  }

  /**
   * Shows the input channel that counts most, and what of it was read.
   *
   * @param {Inspection} inspection
   * @param {Arithmetic} arithmetic
   */
  #frameInput(inspection, { terms }) {
    const input = this.#input
    if (!input) return
    const source = inspection.layers[this.layer].inputs[0]
    const { width, channels } = input
    const inside = terms.filter(({ input, index }) => input === 0 && index >= 0)
    const most = inside.reduce((most, term) => (Math.abs(term.value * term.weight) > Math.abs(most.value * most.weight) ? term : most), inside[0])
    const channel = most ? most.index % channels : 0
    const name = source < 0 ? 'the picture' : inspection.layers[source].name
    const isPhoto = source < 0 && channels === 3
    this.#inputView.draw(
      isPhoto ? `Input: ${name}` : `Input: ${name}${channels > 1 ? `, channel ${channel}, which counts most` : ''}`,
      isPhoto ? photo(input, inspection.input.rescale) : pixels(input, channel, this.#inputRange),
    )
    if (inside.length === 0 || inside.length === input.values.length) return this.#inputView.frame(undefined)
    const rows = inside.map(({ index }) => Math.floor(index / channels / width))
    const columns = inside.map(({ index }) => Math.floor(index / channels) % width)
    const [row, column] = [Math.min(...rows), Math.min(...columns)]
    this.#inputView.frame({ row, column, rows: Math.max(...rows) - row + 1, columns: Math.max(...columns) - column + 1 })
  }

  /**
   * @param {number} by
   */
  #step(by) {
    this.pause()
    this.#move(by, true)
  }

  /**
   * @param {number} by
   * @param {boolean} aloud
   */
  #move(by, aloud) {
    const output = this.#output
    if (!output) return
    const places = Math.min(output.width * output.height, output.values.length)
    const { row, column } = this.#outputView.at
    const place = (row * output.width + column + by + places) % places
    this.#goTo(Math.floor(place / output.width), place % output.width, aloud)
  }

  /** Steps from number to number by itself. */
  play() {
    this.pause()
    const playing = (this.#playing = new AbortController())
    this.#play.textContent = 'Pause'
    every(STEP, playing.signal, () => {
      this.#move(1, false)
      return true
    })
  }

  pause() {
    this.#playing?.abort()
    this.#playing = undefined
    this.#play.textContent = 'Play'
  }

  /**
   * Nothing to be seen or reached, but its room kept.
   *
   * @param {boolean} blank
   */
  #blank(blank) {
    for (const part of [this.#heat.element, this.#strip, this.#detail]) part.style.visibility = blank ? 'hidden' : ''
  }

  /** @param {unknown} thrown */
  #fail(thrown) {
    this.emit('error', this.#state.fail(thrown))
  }
}

/**
 * @param {string} title
 */
function kernelView(title) {
  const canvas = make('canvas', 'kernel')
  canvas.ariaHidden = 'true'
  return { canvas, element: make('div', '', make('p', 'soft', title), canvas) }
}

define('convlet-inspector', ConvletInspector)
