import { drawCover } from '../support/cover.js'
import { button, make } from '../support/dom.js'
import { whole } from '../support/format.js'
import { watchHold } from '../support/hold.js'
import { takeFiles } from '../support/intake.js'
import { sheet } from '../support/sheet.js'

export const CLASS_BOX = sheet(`
.class { display: grid; gap: 0.5rem; padding: 0.75rem; border: 1px solid var(--line); border-radius: var(--round); }
.class[data-over] { outline: 3px dashed var(--accent); outline-offset: -3px; }
.class-head { display: flex; justify-content: space-between; align-items: baseline; gap: 0.5rem; }
.class-name { font-weight: 650; overflow-wrap: anywhere; min-width: 0; }
.class-count { flex: none; font-size: 0.875rem; color: var(--ink-soft); }
.class .hold { flex: 1 1 8rem; touch-action: none; user-select: none; -webkit-user-select: none; }
.thumbs { display: flex; gap: 0.25rem; min-height: 2.75rem; overflow: hidden; }
.thumb {
  flex: none; width: 2.75rem; height: 2.75rem; padding: 0; border: 1px solid var(--line); border-radius: 4px; overflow: hidden;
  background: var(--sunken); color: var(--ink); cursor: pointer; position: relative;
}
.thumb canvas { display: block; width: 100%; height: 100%; }
.thumb::after { content: '✕'; position: absolute; inset: 0; display: none; place-content: center; background: var(--paper); opacity: 0.85; }
.thumb:hover::after, .thumb:focus-visible::after { display: grid; }
`)

/** The latest pictures are shown: older ones go by removing these, or all. */
const SHOWN = 5
/** Pixels of a thumbnail's side: sharp on a screen of twice the density. */
const SIDE = 88

/**
 * @typedef {object} ClassEvents
 * @property {(files: File[]) => void} onFiles
 * @property {() => void} onHold
 * @property {() => void} onRelease
 * @property {(picture: Blob) => void} onRemove
 * @property {() => void} onClear
 */

/** One class: what it is called, how many pictures it has, and the ways to add to them. */
export class ClassBox {
  #name
  #events
  #count = make('span', 'class-count')
  #thumbs = make('div', 'thumbs')
  #hold = make('button', 'button hold')
  #clear
  /** @type {Map<Blob, HTMLButtonElement>} */
  #drawn = new Map()

  /**
   * @param {string} name
   * @param {{ hasCamera: boolean, signal: AbortSignal }} options
   * @param {ClassEvents} events
   */
  constructor(name, { hasCamera, signal }, events) {
    this.#name = name
    this.#events = events
    const file = make('input', 'hidden-file')
    Object.assign(file, { type: 'file', accept: 'image/*', multiple: true, hidden: true, tabIndex: -1 })
    file.ariaLabel = `Pictures of ${name}`
    this.#clear = button('Clear', events.onClear, 'clear')
    const add = button('Add pictures', () => file.click(), 'add')
    add.ariaLabel = `Add pictures of ${name}`
    this.#clear.ariaLabel = `Clear ${name}`
    this.#hold.type = 'button'
    this.#hold.ariaLabel = `Hold to record ${name}`
    this.#hold.hidden = !hasCamera
    watchHold(this.#hold, events.onHold, events.onRelease)
    this.recording = false
    const head = make('div', 'class-head', make('span', 'class-name', name), this.#count)
    this.element = make('div', 'class', head, this.#thumbs, make('div', 'row', this.#hold, add, this.#clear, file))
    this.element.role = 'group'
    this.element.ariaLabel = name
    takeFiles(this.element, file, signal, events.onFiles)
  }

  /** @param {boolean} recording */
  set recording(recording) {
    this.#hold.textContent = recording ? 'Recording …' : 'Hold to record'
    this.#hold.classList.toggle('primary', recording)
  }

  /** @param {readonly Blob[]} pictures */
  show(pictures) {
    this.#count.textContent = pictures.length === 1 ? '1 picture' : `${whole(pictures.length)} pictures`
    this.#clear.disabled = pictures.length === 0
    const shown = pictures.slice(-SHOWN).reverse()
    for (const [picture, thumb] of this.#drawn) {
      if (shown.includes(picture)) continue
      // Who removes one picture after the other stays at it.
      if (thumb.matches(':focus')) this.#hold.hidden ? this.#clear.focus() : this.#hold.focus()
      thumb.remove()
      this.#drawn.delete(picture)
    }
    for (const [place, picture] of shown.entries()) {
      const thumb = this.#drawn.get(picture) ?? this.#thumb(picture)
      thumb.ariaLabel = `Remove picture ${pictures.length - place} of ${this.#name}`
      if (this.#thumbs.children[place] !== thumb) this.#thumbs.insertBefore(thumb, this.#thumbs.children[place] ?? null)
    }
  }

  /** @param {Blob} picture */
  #thumb(picture) {
    const canvas = make('canvas', '')
    canvas.width = canvas.height = SIDE
    const thumb = make('button', 'thumb', canvas)
    thumb.type = 'button'
    thumb.addEventListener('click', () => this.#events.onRemove(picture))
    this.#drawn.set(picture, thumb)
    drawCover(canvas, picture).catch(() => {})
    return thumb
  }
}
