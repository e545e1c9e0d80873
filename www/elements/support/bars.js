import { make } from './dom.js'
import { percent } from './format.js'
import { sheet } from './sheet.js'

/** @import { Prediction } from '../../client/classifier.js' */

export const BARS = sheet(`
.answer { font-size: 1.5rem; font-weight: 700; line-height: 1.3; min-height: 1.3em; overflow-wrap: anywhere; }
.answer::first-letter { text-transform: uppercase; }
.bars { display: grid; gap: 0.625rem; list-style: none; align-content: start; margin-top: 0.5rem; }
.bar { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0.125rem 0.75rem; color: var(--ink-soft); }
.bar-label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bar-track {
  grid-column: 1 / -1; height: 0.5rem; overflow: hidden; border-radius: 0.25rem; background: var(--sunken);
  box-shadow: inset 0 0 0 1px var(--line);
}
.bar-fill { display: block; height: 100%; background: var(--ink-soft); transform: scaleX(0); transform-origin: left; }
.bar.best { color: var(--ink); font-weight: 650; }
.bar.best .bar-fill { background: var(--accent); }
@media (prefers-reduced-motion: no-preference) { .bar-fill { transition: transform 180ms ease-out; } }
@media print { .bar-track { print-color-adjust: exact; } }
`)

/** The answer and a bar of confidence for each label shown. */
export class Bars {
  #answer = make('p', 'answer')
  #list = make('ul', 'bars')
  #places = 0

  get elements() {
    return [this.#answer, this.#list]
  }

  /**
   * Room for so many bars, so that nothing moves when they come.
   *
   * @param {number} places
   */
  reserve(places) {
    this.#places = places
    this.#list.style.minHeight = `${places * 2.75}rem`
  }

  clear() {
    this.#answer.textContent = ''
    this.#list.replaceChildren()
  }

  /**
   * @param {Prediction[]} predictions highest first
   * @param {string[]} labels in the model's order, which few bars keep
   * @param {boolean} noneOfThese
   */
  show(predictions, labels, noneOfThese) {
    const best = predictions[0]
    const top = predictions.slice(0, this.#places)
    if (labels.length <= this.#places) top.sort((a, b) => labels.indexOf(a.label) - labels.indexOf(b.label))
    this.#answer.textContent = noneOfThese ? 'None of these' : best.label
    while (this.#list.children.length > top.length) this.#list.lastElementChild?.remove()
    while (this.#list.children.length < top.length) this.#list.append(bar())
    for (const [place, { label, confidence }] of top.entries()) {
      const element = this.#list.children[place]
      const [name, value, track] = /** @type {Iterable<HTMLElement>} */ (/** @type {unknown} */ (element.children))
      name.textContent = label
      value.textContent = percent(confidence)
      const fill = /** @type {HTMLElement} */ (track.firstElementChild)
      fill.style.transform = `scaleX(${confidence})`
      element.classList.toggle('best', !noneOfThese && label === best.label)
    }
  }
}

const bar = () =>
  make(
    'li',
    'bar',
    make('span', 'bar-label'),
    make('span', 'bar-value'),
    make('span', 'bar-track', make('span', 'bar-fill')),
  )
