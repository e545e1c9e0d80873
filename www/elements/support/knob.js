import { draw } from './dom.js'
import { fixed } from './format.js'

/** How far a drag of one pixel turns. */
const PER_PIXEL = 0.025

/** A number in a drawing that is dragged up and down, or moved by arrow keys: a slider to a screen reader. */
export class Knob {
  #text = draw('text')
  #limit
  #onChange

  /**
   * @param {string} label
   * @param {{ x: number, y: number }} at
   * @param {number} value
   * @param {{ limit?: number, round?: boolean } | undefined} options `limit`: from its negative up to it
   * @param {(value: number) => void} onChange
   */
  constructor(label, { x, y }, value, { limit = 3, round = false } = {}, onChange) {
    this.value = value
    this.#limit = limit
    this.#onChange = onChange
    // As large as a finger needs where the drawing is as narrow as a phone.
    const [width, height] = round ? [44, 44] : [42, 30]
    const box = { x: -width / 2, y: -height / 2, width, height, rx: round ? 22 : 7 }
    this.element = draw('g', { class: 'knob', transform: `translate(${x} ${y})`, tabindex: 0 }, draw('rect', box), this.#text)
    const { element } = this
    element.role = 'slider'
    element.ariaLabel = label
    element.ariaOrientation = 'vertical'
    element.ariaValueMin = String(-limit)
    element.ariaValueMax = String(limit)
    element.addEventListener('pointerdown', (event) => this.#drag(event))
    element.addEventListener('keydown', (event) => this.#key(event))
    this.#show()
  }

  /**
   * @param {number} value
   */
  set(value) {
    this.value = Math.round(Math.min(this.#limit, Math.max(-this.#limit, value)) * 10) / 10
    this.#show()
    this.#onChange(this.value)
  }

  /**
   * @param {PointerEvent} begin
   */
  #drag(begin) {
    const { element } = this
    const from = this.value
    begin.preventDefault()
    element.focus({ preventScroll: true })
    element.setPointerCapture(begin.pointerId)
    element.classList.add('held')
    const held = new AbortController()
    const { signal } = held
    element.addEventListener('pointermove', (event) => this.set(from + (begin.clientY - event.clientY) * PER_PIXEL), { signal })
    const drop = () => {
      held.abort()
      element.classList.remove('held')
    }
    element.addEventListener('pointerup', drop, { signal })
    element.addEventListener('pointercancel', drop, { signal })
  }

  /**
   * @param {KeyboardEvent} event
   */
  #key(event) {
    const steps = /** @type {{ [key: string]: number }} */ ({
      ArrowUp: 0.1,
      ArrowRight: 0.1,
      ArrowDown: -0.1,
      ArrowLeft: -0.1,
      PageUp: 1,
      PageDown: -1,
      Home: -Infinity,
      End: Infinity,
    })
    const step = steps[event.key]
    if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return
    event.preventDefault()
    this.set(this.value + step)
  }

  #show() {
    this.#text.textContent = fixed(this.value, 1)
    this.element.ariaValueNow = String(this.value)
    this.element.ariaValueText = fixed(this.value, 1)
  }
}
