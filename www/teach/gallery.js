import { make } from '../page/dom.js'

/** Pixels from a thumbnail to the next, and how many rows are seen before the gallery scrolls. */
const PITCH = 76
const ROWS_SEEN = 3
/** Rows drawn beyond those in view: a flick of the wheel meets pictures. */
const ROWS_AHEAD = 2

/** Names each gallery's options apart, for `aria-activedescendant`. */
let galleries = 0

/**
 * @typedef {object} GalleryEvents
 * @property {(id: number) => Promise<Blob | undefined>} load
 * @property {(ids: number[]) => void} onSelect
 * @property {(id: number) => void} onOpen
 * @property {(ids: number[]) => void} onRemove
 */

/**
 * Thumbnails of any number of pictures: only those in view exist. A list box to the keyboard: arrows move, Space selects
 * (with Shift a range), Enter opens, Delete removes.
 */
export class Gallery {
  #list = make('div', 'gallery-list')
  #number = ++galleries
  #events
  /** @type {readonly number[]} */
  #ids = []
  /** @type {Set<number>} */
  #selected = new Set()
  /** The thumbnails that exist. @type {Map<number, HTMLElement>} */
  #tiles = new Map()
  /** The place that the keyboard is at, and where a range begins. */
  #active = 0
  #anchor = 0
  #columns = 1

  /**
   * @param {string} label
   * @param {GalleryEvents} events
   */
  constructor(label, events) {
    this.#events = events
    this.element = make('div', 'gallery', this.#list)
    this.#list.role = 'listbox'
    this.#list.ariaMultiSelectable = 'true'
    this.#list.tabIndex = 0
    this.label = label
    this.element.hidden = true
    this.element.addEventListener('scroll', () => this.#draw(), { passive: true })
    this.#list.addEventListener('keydown', (event) => this.#key(event))
    this.#list.addEventListener('click', (event) => this.#click(event))
    this.#list.addEventListener('dblclick', () => this.#events.onOpen(this.#ids[this.#active]))
    new ResizeObserver(() => this.#draw()).observe(this.element)
  }

  /** @param {string} label */
  set label(label) {
    this.#list.ariaLabel = `Pictures of ${label}`
  }

  /** @param {readonly number[]} ids */
  set ids(ids) {
    const grown = ids.length > this.#ids.length && this.#ids.length > 0
    this.#ids = [...ids]
    const here = new Set(ids)
    const selected = [...this.#selected].filter((id) => here.has(id))
    if (selected.length !== this.#selected.size) this.#select(selected)
    for (const id of [...this.#tiles.keys()]) if (!here.has(id)) this.#drop(id)
    this.element.hidden = ids.length === 0
    this.#active = Math.min(this.#active, Math.max(0, ids.length - 1))
    this.#draw()
    // The picture just taken is the one to see.
    if (grown) this.element.scrollTop = this.element.scrollHeight
  }

  get selected() {
    return [...this.#selected]
  }

  /** @param {number[]} ids */
  #select(ids) {
    this.#selected = new Set(ids)
    for (const [id, tile] of this.#tiles) tile.ariaSelected = String(this.#selected.has(id))
    this.#events.onSelect(ids)
  }

  clearSelection() {
    this.#select([])
  }

  /** Makes the thumbnails in view exist, and no others. */
  #draw() {
    const { clientWidth, clientHeight, scrollTop } = this.element
    if (!clientWidth) return
    this.#columns = Math.max(1, Math.floor(clientWidth / PITCH))
    const rows = Math.ceil(this.#ids.length / this.#columns)
    this.#list.style.height = `${rows * PITCH}px`
    this.element.style.height = `${Math.min(rows, ROWS_SEEN) * PITCH}px`
    const seen = Math.max(clientHeight, PITCH)
    const first = Math.max(0, Math.floor(scrollTop / PITCH) - ROWS_AHEAD) * this.#columns
    const last = Math.min(this.#ids.length, (Math.ceil((scrollTop + seen) / PITCH) + ROWS_AHEAD) * this.#columns)
    const wanted = new Set(this.#ids.slice(first, last))
    for (const id of [...this.#tiles.keys()]) if (!wanted.has(id)) this.#drop(id)
    for (let place = first; place < last; place++) this.#place(this.#ids[place], place)
    this.#mark()
  }

  /**
   * @param {number} id
   * @param {number} place
   */
  #place(id, place) {
    let tile = this.#tiles.get(id)
    if (!tile) {
      this.#tiles.set(id, (tile = this.#tile(id)))
      this.#list.append(tile)
    }
    tile.ariaPosInSet = String(place + 1)
    tile.ariaSetSize = String(this.#ids.length)
    tile.ariaLabel = `Picture ${place + 1}`
    tile.style.transform = `translate(${(place % this.#columns) * PITCH}px, ${Math.floor(place / this.#columns) * PITCH}px)`
  }

  /** @param {number} id */
  #tile(id) {
    const image = make('img', '')
    image.alt = ''
    image.decoding = 'async'
    const tile = make('div', 'tile', image)
    tile.role = 'option'
    tile.id = `gallery-${this.#number}-${id}`
    tile.dataset.id = String(id)
    tile.ariaSelected = String(this.#selected.has(id))
    this.#events.load(id).then((blob) => {
      if (blob && this.#tiles.get(id) === tile) image.src = URL.createObjectURL(blob)
    }, () => tile.classList.add('lost'))
    return tile
  }

  /** @param {number} id */
  #drop(id) {
    const tile = this.#tiles.get(id)
    this.#tiles.delete(id)
    const image = tile?.firstElementChild
    if (image instanceof HTMLImageElement && image.src) URL.revokeObjectURL(image.src)
    tile?.remove()
  }

  /** Shows where the keyboard is. */
  #mark() {
    const tile = this.#tiles.get(this.#ids[this.#active])
    for (const other of this.#tiles.values()) other.classList.toggle('active', other === tile)
    if (tile) this.#list.setAttribute('aria-activedescendant', tile.id)
    else this.#list.removeAttribute('aria-activedescendant')
  }

  /** @param {number} place */
  #go(place) {
    this.#active = Math.min(Math.max(place, 0), this.#ids.length - 1)
    const top = Math.floor(this.#active / this.#columns) * PITCH
    const { scrollTop, clientHeight } = this.element
    if (top < scrollTop) this.element.scrollTop = top
    if (top + PITCH > scrollTop + clientHeight) this.element.scrollTop = top + PITCH - clientHeight
    this.#draw()
  }

  #toggle() {
    const id = this.#ids[this.#active]
    const selected = new Set(this.#selected)
    if (!selected.delete(id)) selected.add(id)
    this.#anchor = this.#active
    this.#select([...selected])
  }

  #range() {
    const [from, to] = [this.#anchor, this.#active].sort((a, b) => a - b)
    this.#select([...new Set([...this.#selected, ...this.#ids.slice(from, to + 1)])])
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const tile = event.target instanceof Element && event.target.closest('.tile')
    if (!(tile instanceof HTMLElement)) return
    this.#go(this.#ids.indexOf(Number(tile.dataset.id)))
    if (event.shiftKey) this.#range()
    else this.#toggle()
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const moves = /** @type {{ [key: string]: number }} */ ({
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.#columns,
      ArrowDown: this.#columns,
      Home: -this.#ids.length,
      End: this.#ids.length,
    })
    if (event.key in moves) {
      this.#go(this.#active + moves[event.key])
      if (event.shiftKey) this.#range()
    } else if (event.key === ' ') this.#toggle()
    else if (event.key === 'Enter') this.#events.onOpen(this.#ids[this.#active])
    else if (event.key === 'Escape') this.clearSelection()
    else if (event.key === 'a' && (event.ctrlKey || event.metaKey)) this.#select([...this.#ids])
    else if (event.key === 'Delete' || event.key === 'Backspace')
      this.#events.onRemove(this.#selected.size ? this.selected : [this.#ids[this.#active]])
    else return
    event.preventDefault()
    event.stopPropagation()
  }
}
