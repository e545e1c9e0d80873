import { make } from '../support/dom.js'
import { sheet } from '../support/sheet.js'

export const MAP = sheet(`
.map-box { display: grid; gap: 0.25rem; align-content: start; min-width: 0; width: min(100%, 16rem); }
.map-title { font-size: 0.875rem; color: var(--ink-soft); min-height: 2.6em; line-height: 1.3; align-content: end; }
.map { position: relative; overflow: hidden; background: var(--sunken); touch-action: pan-y; }
.map canvas { display: block; width: 100%; height: 100%; image-rendering: pixelated; }
.map.pointable { cursor: crosshair; }
.frame {
  position: absolute; top: 0; left: 0; outline: 2px solid var(--accent); box-shadow: 0 0 0 4px var(--paper); pointer-events: none;
}
`)

/** A map that shows where the pointer or the keyboard is, and frames a window of it. */
export class MapView {
  #canvas = make('canvas', '')
  #frame = make('div', 'frame')
  #title = make('p', 'map-title')
  #map = make('div', 'map', this.#canvas, this.#frame)
  #size = { height: 1, width: 1 }
  element = make('div', 'map-box', this.#title, this.#map)

  /**
   * @param {(row: number, column: number, byKeyboard: boolean) => void} [onPoint]
   */
  constructor(onPoint) {
    this.#frame.hidden = true
    this.#canvas.ariaHidden = 'true'
    this.at = { row: 0, column: 0 }
    if (!onPoint) return
    this.#map.classList.add('pointable')
    this.#map.tabIndex = 0
    this.#map.role = 'application'
    /** @param {PointerEvent} event */
    const point = (event) => {
      const { left, top, width, height } = this.#map.getBoundingClientRect()
      this.#point(
        Math.floor(((event.clientY - top) / height) * this.#size.height),
        Math.floor(((event.clientX - left) / width) * this.#size.width),
        (row, column) => onPoint(row, column, false),
      )
    }
    this.#map.addEventListener('pointermove', point)
    this.#map.addEventListener('pointerdown', point)
    this.#map.addEventListener('keydown', (event) => {
      const moves = /** @type {Record<string, number[]>} */ ({
        ArrowUp: [-1, 0],
        ArrowDown: [1, 0],
        ArrowLeft: [0, -1],
        ArrowRight: [0, 1],
      })
      const move = moves[event.key]
      if (!move || event.ctrlKey || event.altKey || event.metaKey) return
      event.preventDefault()
      const { row, column } = this.at
      this.#point(row + move[0], column + move[1], (row, column) => onPoint(row, column, true))
    })
  }

  /**
   * @param {number} row
   * @param {number} column
   * @param {(row: number, column: number) => void} tell
   */
  #point(row, column, tell) {
    const { height, width } = this.#size
    row = Math.min(height - 1, Math.max(0, row))
    column = Math.min(width - 1, Math.max(0, column))
    if (row !== this.at.row || column !== this.at.column) tell(row, column)
  }

  /**
   * @param {string} title
   * @param {ImageData} image
   */
  draw(title, image) {
    this.#title.textContent = title
    if (this.#map.tabIndex === 0) this.#map.ariaLabel = `${title}. Arrow keys move from number to number.`
    this.#size = image
    if (this.#canvas.width !== image.width) this.#canvas.width = image.width
    if (this.#canvas.height !== image.height) this.#canvas.height = image.height
    this.#map.style.aspectRatio = `${image.width} / ${image.height}`
    this.#canvas.getContext('2d')?.putImageData(image, 0, 0)
  }

  /**
   * Frames a window; it may reach over the edge.
   *
   * @param {{ row: number, column: number, rows: number, columns: number } | undefined} window
   */
  frame(window) {
    this.#frame.hidden = !window
    if (!window) return
    const { height, width } = this.#size
    const { style } = this.#frame
    style.top = `${(window.row / height) * 100}%`
    style.left = `${(window.column / width) * 100}%`
    style.height = `${(window.rows / height) * 100}%`
    style.width = `${(window.columns / width) * 100}%`
  }
}
