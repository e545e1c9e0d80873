import { byId, make } from './dom.js'
import { percent, question } from './format.js'

/** @import { Prediction } from '../client/classifier.js' */

/** As many bars as are read at a glance. */
const BARS = 5
/** Milliseconds between two announcements while the answer changes by itself. */
const SPEAK_EVERY = 2000

/** The answer: the most likely label, the bars below it, and the same in words for a screen reader. */
export class Answer {
  #question = byId('question', HTMLElement)
  #answer = byId('answer', HTMLElement)
  #spoken = byId('spoken', HTMLElement)
  #list = byId('bars', HTMLUListElement)
  /** The bar of each label shown. @type {Map<string, Bar>} */
  #bars = new Map()
  #spokenAt = -SPEAK_EVERY

  /**
   * No answer yet: what can be asked.
   *
   * @param {string[]} labels
   */
  clear(labels) {
    this.#question.textContent = question(labels)
    this.#answer.textContent = ''
    this.#spoken.textContent = ''
    this.#show(labels.slice(0, BARS).map((label) => ({ label, confidence: 0 })))
    for (const bar of this.#bars.values()) bar.blank()
  }

  /**
   * @param {Prediction[]} predictions highest first
   * @param {string[]} labels in the model's order
   * @param {{ live: boolean, noneOfThese?: boolean }} options `noneOfThese`: the picture is unlike all that the network knows
   */
  show(predictions, labels, { live, noneOfThese = false }) {
    const top = predictions.slice(0, BARS)
    // Few labels keep their places, so that bars grow and shrink instead of jumping about.
    if (labels.length <= BARS) top.sort((a, b) => labels.indexOf(a.label) - labels.indexOf(b.label))
    this.#show(top)
    const best = predictions[0]
    this.#answer.textContent = noneOfThese ? 'none of these' : best.label
    this.#answer.classList.toggle('none', noneOfThese)
    for (const [label, bar] of this.#bars) bar.element.classList.toggle('best', !noneOfThese && label === best.label)
    this.#speak(noneOfThese ? 'none of these' : `${best.label}, ${percent(best.confidence)}`, live)
  }

  /**
   * @param {Prediction[]} predictions in the order to show them
   */
  #show(predictions) {
    const shown = predictions.map(({ label, confidence }) => {
      const bar = this.#bars.get(label) ?? new Bar(label)
      bar.set(confidence)
      return /** @type {const} */ ([label, bar])
    })
    const before = [...this.#bars.keys()]
    this.#bars = new Map(shown)
    if (shown.some(([label], place) => label !== before[place]) || before.length !== shown.length)
      this.#list.replaceChildren(...shown.map(([, bar]) => bar.element))
  }

  /**
   * @param {string} text
   * @param {boolean} live
   */
  #speak(text, live) {
    const now = performance.now()
    if (live && now - this.#spokenAt < SPEAK_EVERY) return
    this.#spokenAt = now
    this.#spoken.textContent = text
  }
}

/** A label, its confidence as a bar and as a number. */
class Bar {
  #fill = make('span', 'bar-fill')
  #value = make('span', 'bar-value')

  /**
   * @param {string} label
   */
  constructor(label) {
    this.element = make(
      'li',
      'bar',
      make('span', 'bar-label', label),
      this.#value,
      make('span', 'bar-track', this.#fill),
    )
  }

  /**
   * @param {number} confidence
   */
  set(confidence) {
    this.#fill.style.transform = `scaleX(${confidence})`
    this.#value.textContent = percent(confidence)
  }

  blank() {
    this.#value.textContent = '–'
    this.element.classList.remove('best')
  }
}
