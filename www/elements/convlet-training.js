import { ConvletError } from '../client/errors.js'
import { shrink } from '../client/shrink.js'
import { Trainer } from '../client/trainer.js'
import { ConvletConfusion } from './convlet-confusion.js'
import { ConvletHistory } from './convlet-history.js'
import { drawCover } from './support/cover.js'
import { button, make } from './support/dom.js'
import { ConvletElement, define } from './support/element.js'
import { fixed, percent, whole } from './support/format.js'
import { sheet } from './support/sheet.js'
import { StateLine, STATE_LINE } from './support/state-line.js'
import { chance, drawAnimal } from './training/drawings.js'

/** @import { Logs } from '../client/trainer.js' */
/** @import { ConvletInspector } from './convlet-inspector.js' */

/** Milliseconds between two looks inside while it trains, which is to get on meanwhile. */
const LOOK_EVERY = 400
/** A second in the tab, not a night on a server. */
const BATCH_SIZE = 8
const VALIDATION_SPLIT = 0.25
/** Of each animal at least, so that some of it are held back. */
const FEWEST = 4
/** Pixels of a picture's side on the sheet and among the mistakes. */
const THUMB = 64
/** @type {('cat' | 'dog')[]} */
const KINDS = ['cat', 'dog']

const STYLE = sheet(`
:host { display: grid; gap: 1rem; }
:host > *, .part { min-width: 0; }
.sheet { display: flex; flex-wrap: wrap; gap: 3px; max-height: calc(3 * 3rem + 2 * 3px); overflow: hidden; }
.sheet canvas { width: 3rem; height: 3rem; border-radius: 3px; }
.parts { display: grid; gap: 1rem 2rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
.parts > .part { display: grid; gap: 0.5rem; align-content: start; }
.part-title { font-weight: 650; }
convlet-history, convlet-confusion, convlet-inspector { padding: 0; border: 0; background: none; }
.progress { display: block; width: 100%; height: 0.5rem; accent-color: var(--accent); }
.state { min-height: 3em; }
.mistakes { display: flex; flex-wrap: wrap; gap: 0.5rem; min-height: 6.5rem; padding: 0; list-style: none; align-content: start; }
.mistake { width: 5.5rem; font-size: 0.8125rem; line-height: 1.3; }
.mistake canvas { display: block; width: 4rem; height: 4rem; border-radius: 3px; }
summary { cursor: pointer; min-height: 2rem; }
`)

/**
 * `<convlet-training src="model.safetensors">`: the network of a model file trained anew in the reader's tab, from fresh
 * weights. It learns from cats and dogs that the element draws, or from pictures that the reader gives; it shows the curve,
 * the mistakes on pictures held back and, opened, every layer as it learns.
 *
 * Attributes: `src`, `labels` (two, separated by a comma: cat, dog), `pictures` (of each, drawn), `epochs`, `seed`.
 * Events: `epoch` ({ epoch, logs }), `train` ({ accuracy, split }) and `error` (a ConvletError). From a script: `train()`, `stop()`.
 */
export class ConvletTraining extends ConvletElement {
  /** @override */
  static styles = [STATE_LINE, STYLE]

  static observedAttributes = ['src', 'labels', 'pictures', 'epochs', 'seed']

  /** What it learns from. @type {{ label: string, picture: Blob | HTMLCanvasElement }[]} */
  examples = []
  /** The reader's own, by label. @type {Map<string, Blob[]>} */
  #own = new Map()
  #seed = 1
  /** Kept after its training, for who looks inside. @type {Trainer | undefined} */
  #trainer
  #isTraining = false
  /** @type {Promise<ConvletInspector> | undefined} */
  #inspector
  #isLooking = false
  /** Whether another look is to follow. */
  #isWanted = false
  #lastLook = 0
  #signal = AbortSignal.abort()
  #about = make('p', 'about')
  #sheet = make('div', 'sheet')
  #history = new ConvletHistory()
  #confusion = new ConvletConfusion()
  #mistakes = make('ul', 'mistakes')
  #progress = make('progress', 'progress')
  #state = new StateLine()
  #others = button('Draw others', () => this.#drawOthers(), 'others')
  #give = make('div', 'row')
  #train = button('Train it here', () => this.train(), 'primary train')
  #pause = button('Pause', () => this.#togglePause(), 'pause')
  #stop = button('Stop here', () => this.stop(), 'stop')
  #inside = make('details', 'inside', make('summary', '', 'Look inside while it learns: gradients, and how the kernels move'))

  #nothingYet = make('p', 'soft', 'Nothing to look into yet: train it first.')

  constructor() {
    super()
    this.#inside.append(this.#nothingYet)
    this.#progress.ariaLabel = 'Training'
    this.#sheet.role = 'img'
    const part = (/** @type {string} */ title, /** @type {Node[]} */ ...content) =>
      make('div', 'part', make('p', 'part-title', title), ...content)
    this.#inside.addEventListener('toggle', () => this.#look(true))
    this.root.append(
      this.#about,
      this.#sheet,
      this.#give,
      make('div', 'row', this.#train, this.#pause, this.#stop, this.#others),
      this.#progress,
      this.#state.element,
      make('div', 'parts', part('Its curve', this.#history), part('Its mistakes, on pictures held back', this.#confusion, this.#mistakes)),
      this.#inside,
    )
  }

  get labels() {
    const labels = (this.getAttribute('labels') ?? KINDS.join()).split(',').map((label) => label.trim())
    return labels.filter(Boolean).slice(0, KINDS.length)
  }

  /**
   * @override
   * @param {AbortSignal} signal
   */
  start(signal) {
    this.#signal = signal
    this.#seed = this.number('seed', 1, 0, 2 ** 31)
    this.#give.replaceChildren(...this.labels.map((label) => this.#giver(label)))
    this.#confusion.setAttribute('labels', this.labels.map((label) => label.replaceAll(/\s+/g, '-')).join(' '))
    signal.addEventListener('abort', () => this.#forget())
    this.#collect()
    this.#showButtons()
  }

  /** Gives the engine's memory back. */
  #forget() {
    this.#trainer?.dispose().catch(() => {})
    this.#trainer = undefined
  }

  /** @param {string} label */
  #giver(label) {
    const file = make('input', 'hidden-file')
    Object.assign(file, { type: 'file', accept: 'image/*', multiple: true, hidden: true, tabIndex: -1 })
    file.ariaLabel = `Your own pictures: ${label}`
    file.addEventListener('change', () => {
      const files = [...(file.files ?? [])]
      file.value = ''
      if (files.length > 0) this.#take(files, label)
    })
    return make('span', '', button(`Your own pictures: ${label}`, () => file.click(), 'give'), file)
  }

  /**
   * @param {File[]} files
   * @param {string} label
   */
  async #take(files, label) {
    try {
      if (files.length < FEWEST)
        throw new ConvletError('argument', `${label}: expected ${FEWEST} pictures or more, of which one in four is held back, got ${files.length}`)
      this.#own.set(label, await Promise.all(files.map(shrink)))
      this.#collect()
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  #drawOthers() {
    this.#seed++
    this.#own.clear()
    this.#collect()
  }

  /** Gathers what is to be learned from, and shows it. */
  #collect() {
    const count = this.number('pictures', 48, 4, 500)
    const random = chance(this.#seed)
    this.examples = this.labels.flatMap((label, place) => {
      const drawn = () => Array.from({ length: count }, () => drawAnimal(KINDS[place], random))
      return (this.#own.get(label) ?? drawn()).map((picture) => ({ label, picture }))
    })
    const [first, second] = this.labels
    const of = (/** @type {string} */ label) => this.examples.filter((example) => example.label === label)
    const drawn = this.labels.filter((label) => !this.#own.has(label))
    const words = [
      'They are yours, and stay in this tab.',
      `Each ${drawn[0]} was drawn a moment ago in this tab; the others are yours, and stay in it.`,
      'They were drawn a moment ago in this tab, and are no photographs: what is learned from them holds for drawings like these.',
    ]
    this.#about.textContent =
      `${whole(of(first).length)} × ${first} and ${whole(of(second).length)} × ${second}. ` +
      words[drawn.length]
    this.#sheet.ariaLabel = `Some of the pictures: ${this.labels.join(' and ')}`
    const shown = Array.from({ length: 16 }, (_, place) => [of(first)[place], of(second)[place]]).flat().filter(Boolean)
    this.#sheet.replaceChildren(...shown.map(({ picture }) => thumb(picture)))
    this.#judged([], [])
    this.#history.history = {}
    // What was learned from other pictures is gone.
    this.#forget()
    this.#closeInside()
    this.#state.tell(`Not trained yet: its weights are drawn at random, and it knows nothing.`)
  }

  #showButtons() {
    const { state } = this.#trainer ?? {}
    this.#train.hidden = this.#isTraining
    this.#stop.hidden = this.#pause.hidden = !this.#isTraining
    this.#pause.textContent = state === 'paused' ? 'Go on' : 'Pause'
    this.#others.disabled = this.#isTraining
    for (const element of this.#give.querySelectorAll('button')) element.disabled = this.#isTraining
    this.#progress.style.visibility = this.#isTraining ? '' : 'hidden'
  }

  /** Trains from fresh weights. What goes wrong is told by an `error` event. */
  async train() {
    const signal = this.#signal
    if (this.#isTraining || signal.aborted) return
    const hadFocus = this.#train.matches(':focus')
    this.#isTraining = true
    this.#progress.removeAttribute('value')
    this.#showButtons()
    if (hadFocus) this.#stop.focus()
    this.#judged([], [])
    this.#state.tell('Training')
    const { examples } = this
    try {
      this.#forget()
      const trainer = await this.#create(signal)
      if (signal.aborted) return void (await trainer.dispose())
      this.#trainer = trainer
      await Promise.all(examples.map(({ picture, label }) => trainer.addExample(picture, label, { signal })))
      await this.#teach(trainer, signal)
      this.emit('train', await this.#judge(trainer, examples, 'Trained', signal))
      await this.#look(true)
    } catch (thrown) {
      if (!signal.aborted) this.#fail(thrown)
    } finally {
      this.#isTraining = false
      const hadFocus = this.#stop.matches(':focus') || this.#pause.matches(':focus')
      this.#showButtons()
      if (hadFocus) this.#train.focus()
    }
  }

  /** @param {AbortSignal} signal */
  #create(signal) {
    const src = this.getAttribute('src')
    if (!src) throw new ConvletError('argument', 'No network is named yet: src is missing.')
    const options = { epochs: this.number('epochs', 12, 1, 1000), batchSize: BATCH_SIZE, validationSplit: VALIDATION_SPLIT }
    return Trainer.create({
      ...{ base: new URL(src, document.baseURI), labels: this.labels, depth: /** @type {const} */ ('scratch'), signal },
      options: { ...options, seed: this.#seed, augment: false },
    })
  }

  /**
   * @param {Trainer} trainer
   * @param {AbortSignal} signal
   */
  async #teach(trainer, signal) {
    /** @type {Logs[]} */
    const history = []
    await trainer.train({
      signal,
      onStep: ({ epoch, epochs, done, total, logs }) => {
        this.#progress.value = (epoch + done / total) / epochs
        if (logs) this.#state.tell(`Epoch ${epoch + 1} of ${epochs}, picture ${whole(done)} of ${whole(total)}: loss ${fixed(logs.loss, 3)}`)
        if (performance.now() - this.#lastLook > LOOK_EVERY) this.#look()
      },
      onEpochEnd: (epoch, logs) => {
        history[epoch] = logs
        const figures = /** @type {(keyof Logs)[]} */ (Object.keys(logs))
        this.#history.history = Object.fromEntries(figures.map((name) => [name, history.map((logs) => logs[name] ?? 0)]))
        this.emit('epoch', { epoch, logs })
      },
    })
  }

  async #togglePause() {
    const trainer = this.#trainer
    if (trainer?.state === 'paused') trainer.resume()
    else trainer?.pause()
    this.#showButtons()
    this.#look(true)
    try {
      if (trainer?.state === 'paused' && trainer.isBegun) await this.#judge(trainer, this.examples, 'Paused', this.#signal)
    } catch (thrown) {
      if (this.#trainer === trainer) this.#fail(thrown)
    }
  }

  /**
   * Tells how well the pictures are told apart, if nothing has come between meanwhile.
   *
   * @param {Trainer} trainer
   * @param {ConvletTraining['examples']} examples
   * @param {'Trained' | 'Paused'} why
   * @param {AbortSignal} signal
   */
  async #judge(trainer, examples, why, signal) {
    const { accuracy = 0, confusion, indices, predictions, split } = await trainer.evaluate({ signal })
    if (why === 'Trained' || trainer.state === 'paused') {
      const said = predictions.map((row) => row.indexOf(Math.max(...row)))
      const answers = indices.map((index, place) => {
        const answer = said[place]
        return { ...examples[index], said: trainer.labels[answer], confidence: predictions[place][answer] }
      })
      const wrong = answers.filter(({ label, said }) => label !== said)
      this.#judged(confusion, wrong)
      const which = `${whole(indices.length)} pictures ${split === 'validation' ? 'held back' : 'it was trained on'}`
      this.#state.tell(`${why}: ${percent(accuracy)} of the ${which} are named rightly.`)
    }
    return { accuracy, split }
  }

  /** Ends the training; what was learned so far is judged. */
  stop() {
    this.#trainer?.stop()
  }

  /**
   * @param {number[][]} confusion
   * @param {{ label: string, picture: Blob | HTMLCanvasElement, said: string, confidence: number }[]} wrong
   */
  #judged(confusion, wrong) {
    this.#confusion.matrix = confusion.length > 0 ? confusion : this.labels.map(() => this.labels.map(() => 0))
    const worst = wrong.sort((a, b) => b.confidence - a.confidence).slice(0, 12)
    this.#mistakes.replaceChildren(
      ...worst.map(({ label, picture, said, confidence }) =>
        make('li', 'mistake', thumb(picture), `a ${label}, taken for a ${said}: ${percent(confidence)}`),
      ),
    )
  }

  /**
   * Shows the network from within, at work on the first picture, where the reader has opened it.
   *
   * @param {boolean} [isWanted] after the look that is under way, if there is one
   */
  async #look(isWanted = false) {
    const picture = this.examples[0]?.picture
    if (!this.#inside.open || !picture) return
    this.#isWanted ||= isWanted
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      do {
        this.#isWanted = false
        if (!this.#trainer?.isBegun) break
        const inspector = await (this.#inspector ??= this.#open())
        if (this.#trainer?.isBegun) await inspector.show(this.#trainer, picture)
      } while (this.#isWanted)
    } catch (thrown) {
      this.#inspector = undefined
      this.#fail(thrown)
    } finally {
      this.#lastLook = performance.now()
      this.#isLooking = false
    }
  }

  async #open() {
    const { ConvletInspector } = await import('./convlet-inspector.js')
    const inspector = new ConvletInspector()
    this.#nothingYet.replaceWith(inspector)
    return inspector
  }

  #closeInside() {
    this.#inspector = undefined
    this.#inside.lastElementChild?.replaceWith(this.#nothingYet)
  }

  /** @param {unknown} thrown */
  #fail(thrown) {
    this.emit('error', this.#state.fail(thrown))
  }
}

/**
 * @param {Blob | HTMLCanvasElement} picture
 */
function thumb(picture) {
  const canvas = make('canvas', '')
  canvas.width = canvas.height = THUMB
  drawCover(canvas, picture).catch(() => {})
  return canvas
}

define('convlet-training', ConvletTraining)
