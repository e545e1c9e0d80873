import { button, draw, make, slider } from './support/dom.js'
import { ConvletElement, define, every, wantsStillness } from './support/element.js'
import { fixed } from './support/format.js'
import { Plot, PLOT } from './support/plot.js'
import { sheet } from './support/sheet.js'

const STYLE = sheet(`
.tangent { stroke: var(--cool); stroke-width: 2; }
.ball { fill: var(--accent); stroke: var(--paper); stroke-width: 2; }
.trail { fill: var(--accent); opacity: 0.35; }
.sum { margin-top: 0.75rem; padding: 0.75rem; border-radius: var(--round); background: var(--sunken); min-height: 6rem; }
.sum .last { font-weight: 700; }
.row, .soft { margin-top: 0.75rem; }
`)

/** Milliseconds a step stays while playing. */
const STEP = 600
/** Steps whose places stay marked. */
const TRAIL = 40

/**
 * Six animals: how pointed the ears are, around the mean, and whether it is a cat. One cat's hang and one dog's stand, so
 * no weight is right for all and the loss has a lowest point.
 */
const ANIMALS = [
  { x: 1.8, cat: 1 },
  { x: 1.1, cat: 1 },
  { x: -0.6, cat: 1 },
  { x: 0.7, cat: 0 },
  { x: -1.2, cat: 0 },
  { x: -1.8, cat: 0 },
]

const ears = (/** @type {number} */ kind) => ANIMALS.filter(({ cat }) => cat === kind).map(({ x }) => fixed(x, 1)).join(', ')
const KIND_LIST = `cats ${ears(1)}; dogs ${ears(0)}`

/** The weights drawn. */
const [FROM, TO] = [-2, 6]

const sigmoid = (/** @type {number} */ z) => 1 / (1 + Math.exp(-z))

/** The mean binary cross-entropy of `p = sigmoid(w x)`. @param {number} w */
export const lossAt = (w) =>
  ANIMALS.reduce((sum, { x, cat }) => sum - Math.log(sigmoid(cat ? w * x : -w * x)), 0) / ANIMALS.length

/** Its derivative for the weight: the mean of (p - t) x. @param {number} w */
export const slopeAt = (w) => ANIMALS.reduce((sum, { x, cat }) => sum + (sigmoid(w * x) - cat) * x, 0) / ANIMALS.length

/**
 * `<convlet-descent>`: gradient descent on one weight, a step at a time: the loss as a curve, the slope where the weight
 * stands, and the step it takes. Attributes: `weight` (where it starts) and `rate`. Event `step`: { weight, loss, slope }.
 */
export class ConvletDescent extends ConvletElement {
  /** @override */
  static styles = [PLOT, STYLE]

  static observedAttributes = ['weight', 'rate']

  weight = -1.5
  rate = 1
  steps = 0
  /** Where the weight stood before. @type {number[]} */
  #trail = []
  /** @type {AbortController | undefined} */
  #playing
  #play = button('Play', () => (this.#playing ? this.pause() : this.play()))
  #plot = new Plot({ from: FROM, to: TO, low: 0.2, high: 2.2 }, { across: 'weight w', up: 'loss' })
  #marks = draw('g')
  #tangent = draw('line', { class: 'tangent' })
  #ball = draw('circle', { class: 'ball', r: 7 })
  #sum = make('div', 'sum')
  /** @type {((value: number) => void) | undefined} */
  #setSlider

  /**
   * @override
   * @param {AbortSignal} signal
   */
  start(signal) {
    this.#restart()
    const rate = Number(this.getAttribute('rate') ?? NaN)
    if (rate > 0) this.rate = rate
    signal.addEventListener('abort', () => this.pause())
    const line = Array.from({ length: 121 }, (_, place) => {
      const w = FROM + ((TO - FROM) * place) / 120
      return /** @type {[number, number]} */ ([w, lossAt(w)])
    })
    this.#plot.element.ariaLabel = 'The loss for each weight, and the weight going down its slope'
    this.#plot.content.replaceChildren(this.#plot.line(line, 'line curve'), this.#tangent, this.#marks, this.#ball)
    this.#play.hidden = wantsStillness()
    const place = slider('Weight', { min: FROM, max: TO, step: 0.01, value: this.weight }, (w) => fixed(this.#beyond(w)), (w) => this.#put(w))
    this.#setSlider = place.set
    this.root.replaceChildren(
      this.#plot.element,
      make(
        'div',
        'row',
        button('Step', () => this.#stepByHand(), 'primary step'),
        this.#play,
        button('Start over', () => this.#startOver()),
      ),
      make(
        'div',
        'row',
        slider('Learning rate', { min: 0.1, max: 12, step: 0.1, value: this.rate }, (n) => fixed(n, 1), (n) => this.#setRate(n)).element,
        place.element,
      ),
      this.#sum,
      make('p', 'soft', `Ears, from hanging (below 0) to pointed: ${KIND_LIST}. The answer is cat with a probability of sigmoid(w × ears).`),
    )
    this.#show()
  }

  /** Where the weight is, if it has left what the slider reaches. @param {number} w the slider's */
  #beyond(w) {
    const { weight } = this
    return (w === TO && weight > TO) || (w === FROM && weight < FROM) ? weight : w
  }

  /** One step down the slope. */
  step() {
    this.#trail = [...this.#trail, this.weight].slice(-TRAIL)
    this.weight -= this.rate * slopeAt(this.weight)
    this.steps++
    this.#show()
    this.emit('step', { weight: this.weight, loss: lossAt(this.weight), slope: slopeAt(this.weight) })
  }

  #stepByHand() {
    this.pause()
    this.step()
  }

  play() {
    this.pause()
    const playing = (this.#playing = new AbortController())
    this.#play.textContent = 'Pause'
    every(STEP, playing.signal, () => {
      this.step()
      return true
    })
  }

  pause() {
    this.#playing?.abort()
    this.#playing = undefined
    this.#play.textContent = 'Play'
  }

  #startOver() {
    this.pause()
    this.#restart()
    this.#show()
  }

  #restart() {
    const weight = Number(this.getAttribute('weight') ?? NaN)
    this.#put(Number.isFinite(weight) ? weight : -1.5, { draw: false })
  }

  /**
   * @param {number} weight
   * @param {{ draw?: boolean }} [options]
   */
  #put(weight, { draw = true } = {}) {
    this.weight = weight
    this.steps = 0
    this.#trail = []
    if (draw) this.#show()
  }

  /**
   * @param {number} rate
   */
  #setRate(rate) {
    this.rate = rate
    this.#show()
  }

  #show() {
    const { weight, rate } = this
    const [loss, slope] = [lossAt(weight), slopeAt(weight)]
    const isOff = weight < FROM || weight > TO
    this.#plot.place(this.#ball, weight, loss)
    const reach = 0.6
    const ends = [weight - reach, weight + reach].map((w) => this.#plot.at(w, loss + slope * (w - weight)))
    for (const [end, [x, y]] of ends.entries()) {
      this.#tangent.setAttribute(`x${end + 1}`, String(x))
      this.#tangent.setAttribute(`y${end + 1}`, String(y))
    }
    this.#marks.replaceChildren(
      ...this.#trail.map((w) => this.#plot.place(draw('circle', { class: 'trail', r: 4 }), w, lossAt(w))),
    )
    this.#setSlider?.(Math.min(TO, Math.max(FROM, weight)))
    this.#sum.replaceChildren(
      make('p', '', `after ${this.steps} ${this.steps === 1 ? 'step' : 'steps'}: loss ${fixed(loss, 3)}${isOff ? ', off the chart' : ''}`),
      make('p', '', `slope of the loss here: ${fixed(slope, 3)}`),
      make('p', 'last', `next weight = ${fixed(weight)} − ${fixed(rate, 1)} × ${fixed(slope, 3)} = ${fixed(weight - rate * slope)}`),
    )
  }
}

define('convlet-descent', ConvletDescent)
