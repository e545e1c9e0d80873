import { choice, make } from '../support/dom.js'
import { percent } from '../support/format.js'
import { sheet } from '../support/sheet.js'
import { rangeOf } from './colour.js'
import { face, photo, pixels } from './faces.js'

/** @import { Inspection } from '../../client/inspector.js' */

const KINDS = { 'class activation': 'activation', gradient: 'saliency', nothing: undefined }
const MEANING = {
  'class activation': 'Bright where the last maps speak for it.',
  gradient: 'Bright where a change of the picture would change its score most.',
  nothing: 'The picture as the network was given it.',
}

export const HEAT = sheet(`
.looked { display: flex; flex-wrap: wrap; gap: 1rem; align-items: start; }
.overlaid { position: relative; width: min(100%, 14rem); aspect-ratio: 1; }
.overlaid canvas { position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: pixelated; }
.meaning { min-height: 3em; }
.looked-words { display: grid; gap: 0.5rem; flex: 0 1 20rem; }
`)

/** The picture as the network saw it, and where it looked for a class. */
export class HeatView {
  #picture = make('canvas', '')
  #heat = make('canvas', 'heat')
  #overlaid = make('div', 'overlaid', this.#picture, this.#heat)
  #words = make('div', 'looked-words')
  #meaning = make('p', 'soft meaning')
  element = make('div', 'looked', this.#overlaid, this.#words)
  #kind = 'class activation'
  #label = ''
  /** @type {Inspection | undefined} */
  #inspection

  #onError

  /**
   * @param {(thrown: unknown) => void} onError
   */
  constructor(onError) {
    this.#onError = onError
    this.#overlaid.role = 'img'
  }

  /**
   * @param {Inspection} inspection
   */
  async show(inspection) {
    this.#inspection = inspection
    const { labels, predictions, input } = inspection
    const [best] = predictions
    this.#label = best.label
    paint(this.#picture, photo(face(inspection.seen, inspection.shape(-1)), input.rescale))
    this.#overlaid.style.aspectRatio = `${input.width} / ${input.height}`
    const kinds = inspection.lastImage === undefined ? ['gradient', 'nothing'] : Object.keys(KINDS)
    if (!kinds.includes(this.#kind)) this.#kind = kinds[0]
    this.#words.replaceChildren(
      make('p', '', `The network says ${best.label}, ${percent(best.confidence)}.`),
      choice('Where it looked for', labels, this.#label, (label) => this.#change({ label })),
      choice('Shown by', kinds, this.#kind, (kind) => this.#change({ kind })),
      this.#meaning,
    )
    await this.#look()
  }

  /**
   * @param {{ label?: string, kind?: string }} change
   */
  #change({ label = this.#label, kind = this.#kind }) {
    this.#label = label
    this.#kind = kind
    this.#look().catch(this.#onError)
  }

  async #look() {
    const inspection = /** @type {Inspection} */ (this.#inspection)
    const kind = /** @type {'activation' | 'saliency' | undefined} */ (KINDS[/** @type {keyof typeof KINDS} */ (this.#kind)])
    this.#heat.hidden = !kind
    this.#meaning.textContent = MEANING[/** @type {keyof typeof MEANING} */ (this.#kind)]
    this.#overlaid.ariaLabel = `The picture as the network saw it${kind ? `, and where it looked for ${this.#label}` : ''}`
    if (!kind) return
    const { values, width, height } = await inspection.heatMap(kind, inspection.labels.indexOf(this.#label))
    if (this.#inspection === inspection) paint(this.#heat, veil(values, width, height))
  }
}

/**
 * The heat in its colours; where there is none the picture shows through.
 *
 * @param {Float32Array} values
 * @param {number} width
 * @param {number} height
 */
function veil(values, width, height) {
  const range = rangeOf(values)
  const image = pixels({ values, width, height, channels: 1 }, 0, range)
  for (const [place, value] of values.entries()) image.data[place * 4 + 3] = 255 * Math.min(0.85, 0.25 + value / range.high)
  return image
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {ImageData} image
 */
function paint(canvas, image) {
  Object.assign(canvas, { width: image.width, height: image.height })
  canvas.getContext('2d')?.putImageData(image, 0, 0)
}
