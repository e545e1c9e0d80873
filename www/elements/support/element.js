import { BASE } from './sheet.js'

/** Where pages are rendered ahead, as in Node, there are no elements: the modules can be imported there all the same. */
const Base = globalThis.HTMLElement ?? /** @type {typeof HTMLElement} */ (class {})

/**
 * What all of Convlet's elements are: a shadow root with its own styles, and a life that begins when the element enters
 * a page and ends, with all that was begun in it, when the element leaves.
 */
export class ConvletElement extends Base {
  /** Ends with the present life. @type {AbortController | undefined} */
  #life

  /** The element's own styles. @type {CSSStyleSheet[]} */
  static styles = []

  constructor() {
    super()
    this.root = this.attachShadow({ mode: 'open' })
    const { styles } = /** @type {typeof ConvletElement} */ (this.constructor)
    this.root.adoptedStyleSheets = [BASE, ...styles]
  }

  connectedCallback() {
    this.#life?.abort()
    this.#life = new AbortController()
    this.start(this.#life.signal)
  }

  disconnectedCallback() {
    this.#life?.abort()
    this.#life = undefined
  }

  attributeChangedCallback() {
    // Attributes that are there from the start are read by the start.
    if (this.#life) this.connectedCallback()
  }

  /**
   * Begins a life: draws, listens, asks for what is needed; and lets go of it all when `signal` aborts.
   *
   * @param {AbortSignal} _signal
   */
  start(_signal) {}

  /**
   * A number of an attribute, kept within bounds; `otherwise` where it is none.
   *
   * @param {string} name
   * @param {number} otherwise
   * @param {number} min
   * @param {number} max
   */
  number(name, otherwise, min, max) {
    const value = Number(this.getAttribute(name) ?? NaN)
    return Number.isFinite(value) ? Math.min(max, Math.max(min, Math.round(value))) : otherwise
  }

  /**
   * Tells whoever listens to this element.
   *
   * @param {string} type
   * @param {unknown} [detail]
   */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }))
  }
}

/**
 * Defines the element where there is a page, unless another copy of this module has.
 *
 * @param {string} name
 * @param {CustomElementConstructor} element
 */
export function define(name, element) {
  if (globalThis.customElements && !customElements.get(name)) customElements.define(name, element)
}

/**
 * Calls back once, when the element is nearly in sight.
 *
 * @param {Element} element
 * @param {AbortSignal} signal
 * @param {() => void} callback
 */
export function whenSeen(element, signal, callback) {
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return
      observer.disconnect()
      callback()
    },
    { rootMargin: '300px' },
  )
  observer.observe(element)
  signal.addEventListener('abort', () => observer.disconnect())
}

/** Whether the reader asked for stillness. */
export const wantsStillness = () => matchMedia('(prefers-reduced-motion: reduce)').matches

/**
 * Calls back every so often until `signal` aborts or the callback returns false.
 *
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @param {() => boolean} callback
 */
export function every(milliseconds, signal, callback) {
  const timer = setInterval(() => callback() || clearInterval(timer), milliseconds)
  signal.addEventListener('abort', () => clearInterval(timer))
}
