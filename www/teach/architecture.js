import { Trainer } from '../client/trainer.js'
import { messageOf } from '../client/errors.js'
import { byId, make } from '../page/dom.js'
import { whole } from '../page/format.js'
import { ENGINE } from './engine.js'

/**
 * A layer as the visitor puts it: `size` is filters, units, the side of a pool or percent dropped.
 *
 * @typedef {{ type: string, size: number, kernel?: number }} Piece
 */

/** What can be put in, and what of it can be set. */
const KINDS = /** @type {{ [type: string]: { name: string, size: string, first: number, most: number } }} */ ({
  conv: { name: 'Convolution', size: 'filters', first: 32, most: 256 },
  pool: { name: 'Max pooling', size: 'side', first: 2, most: 8 },
  dense: { name: 'Dense', size: 'units', first: 64, most: 1024 },
  dropout: { name: 'Dropout', size: '%', first: 50, most: 90 },
})

/** The article's network. @type {Piece[]} */
const ARTICLE = [
  { type: 'conv', size: 32, kernel: 3 },
  { type: 'pool', size: 2 },
  { type: 'conv', size: 32, kernel: 3 },
  { type: 'pool', size: 2 },
  { type: 'dense', size: 128 },
]

/** Side of the pictures that a network from scratch sees, as the article's. */
const SIDE = 64

/** The network from scratch: layers to add, remove and resize; what comes of it is told by the engine itself. */
export class ArchitectureEditor {
  #list = byId('layers', HTMLOListElement)
  #total = byId('layers-total', HTMLElement)
  #classes = 2
  /** Only the last question's answer is shown. */
  #asked = 0
  #onChange
  /** @type {Piece[]} */
  pieces

  /**
   * @param {Piece[] | undefined} pieces
   * @param {(pieces: Piece[]) => void} onChange
   */
  constructor(pieces, onChange) {
    this.pieces = pieces ?? structuredClone(ARTICLE)
    this.#onChange = onChange
    for (const [type, { name }] of Object.entries(KINDS)) {
      const button = make('button', '', `+ ${name}`)
      button.type = 'button'
      button.addEventListener('click', () => this.#add(type))
      byId('layers-add', HTMLElement).append(button)
    }
    byId('layers-reset', HTMLButtonElement).addEventListener('click', () => this.#set(structuredClone(ARTICLE)))
    this.#show()
  }

  /** @param {number} count of classes to tell apart */
  set classes(count) {
    const wanted = Math.max(2, count)
    if (wanted === this.#classes) return
    this.#classes = wanted
    this.summarize()
  }

  /** Keras's JSON. */
  get architecture() {
    return JSON.stringify(toKeras(this.pieces, this.#classes))
  }

  /** @param {string} type */
  #add(type) {
    const { first } = KINDS[type]
    const piece = type === 'conv' ? { type, size: first, kernel: 3 } : { type, size: first }
    // Pictures come before the dense layers, which have no rows and columns any more.
    const dense = this.pieces.findIndex((other) => other.type === 'dense')
    const spatial = type === 'conv' || type === 'pool'
    const place = spatial && dense >= 0 ? dense : this.pieces.length
    this.#set(this.pieces.toSpliced(place, 0, piece))
    this.#list.querySelectorAll('input')[0]?.focus({ preventScroll: true })
    this.#list.children[place + 1]?.querySelector('input')?.focus()
  }

  /** @param {Piece[]} pieces */
  #set(pieces) {
    this.pieces = pieces
    this.#onChange(pieces)
    this.#show()
  }

  #show() {
    this.#list.replaceChildren(
      make('li', 'layer fixed', make('span', 'layer-name', `Picture, ${SIDE} × ${SIDE}, colour`), make('span', 'layer-facts')),
      ...this.pieces.map((piece, place) => this.#row(piece, place)),
      make('li', 'layer fixed', make('span', 'layer-name', 'Dense, one unit a class, softmax'), make('span', 'layer-facts')),
    )
    this.summarize()
  }

  /**
   * @param {Piece} piece
   * @param {number} place
   */
  #row(piece, place) {
    const kind = KINDS[piece.type]
    const row = make('li', 'layer', make('span', 'layer-name', kind.name))
    row.append(this.#number(piece, 'size', `${kind.name} ${place + 1}, ${kind.size}`, kind.size, kind.most))
    if (piece.type === 'conv') row.append(this.#number(piece, 'kernel', `${kind.name} ${place + 1}, kernel side`, 'kernel', 11))
    const remove = make('button', 'icon', '✕')
    remove.type = 'button'
    remove.ariaLabel = remove.title = `Remove ${kind.name.toLowerCase()} ${place + 1}`
    remove.addEventListener('click', () => {
      this.#set(this.pieces.toSpliced(place, 1))
      this.#list.children[Math.min(place + 1, this.pieces.length)]?.querySelector('button')?.focus()
    })
    row.append(make('span', 'layer-facts'), remove)
    return row
  }

  /**
   * @param {Piece} piece
   * @param {'size' | 'kernel'} field
   * @param {string} label
   * @param {string} unit
   * @param {number} most
   */
  #number(piece, field, label, unit, most) {
    const input = make('input', '')
    Object.assign(input, { type: 'number', min: '1', max: String(most), value: String(piece[field]), ariaLabel: label })
    input.addEventListener('input', () => {
      const value = Math.round(input.valueAsNumber)
      if (!(value >= 1 && value <= most)) return
      piece[field] = value
      this.#onChange(this.pieces)
      this.summarize()
    })
    return make('label', 'layer-number', input, unit)
  }

  /** Asks the engine what the network would be. */
  async summarize() {
    const asked = ++this.#asked
    try {
      const { layers, parameters } = await Trainer.summarize(this.architecture, ENGINE)
      if (asked !== this.#asked) return
      this.#total.textContent = `${whole(parameters)} parameters`
      this.#total.classList.remove('wrong')
      this.#facts(layers)
    } catch (thrown) {
      if (asked !== this.#asked) return
      this.#total.textContent = messageOf(thrown)
      this.#total.classList.add('wrong')
      this.#facts([])
    }
  }

  /** @param {{ name: string, outputShape: number[], parameters: number }[]} layers */
  #facts(layers) {
    const byName = new Map(layers.map((layer) => [layer.name, layer]))
    const names = ['input', ...this.pieces.map((piece, place) => `${piece.type}_${place + 1}`), 'answer']
    names.forEach((name, place) => {
      const layer = byName.get(name)
      const facts = this.#list.children[place]?.querySelector('.layer-facts')
      if (!facts) return
      facts.textContent = layer ? `${layer.outputShape.filter(Boolean).join(' × ')}${layer.parameters ? `, ${whole(layer.parameters)}` : ''}` : ''
    })
  }
}

/**
 * @param {Piece[]} pieces
 * @param {number} classes
 */
export function toKeras(pieces, classes) {
  /** @type {{ class_name: string, config: { [name: string]: any } }[]} */
  const layers = [
    { class_name: 'InputLayer', config: { batch_shape: [null, SIDE, SIDE, 3], dtype: 'float32', name: 'input' } },
  ]
  let flat = false
  const flatten = () => {
    if (!flat) layers.push({ class_name: 'Flatten', config: { name: 'flatten' } })
    flat = true
  }
  pieces.forEach(({ type, size, kernel = 3 }, place) => {
    const name = `${type}_${place + 1}`
    if (type === 'conv')
      layers.push({
        class_name: 'Conv2D',
        config: { name, filters: size, kernel_size: [kernel, kernel], strides: [1, 1], padding: 'valid', activation: 'relu', use_bias: true },
      })
    else if (type === 'pool')
      layers.push({ class_name: 'MaxPooling2D', config: { name, pool_size: [size, size], strides: [size, size], padding: 'valid' } })
    else if (type === 'dropout') layers.push({ class_name: 'Dropout', config: { name, rate: size / 100 } })
    else {
      flatten()
      layers.push({ class_name: 'Dense', config: { name, units: size, activation: 'relu', use_bias: true } })
    }
  })
  flatten()
  layers.push({ class_name: 'Dense', config: { name: 'answer', units: classes, activation: 'softmax', use_bias: true } })
  return { class_name: 'Sequential', config: { name: 'from_scratch', layers } }
}
