/** @import { Store } from './store.js' */

/**
 * What the visitor has set. Numbers that nobody set are not here: the trainer's defaults hold for them.
 *
 * @typedef {object} Values
 * @property {'head' | 'whole' | 'scratch'} depth
 * @property {string} base the id of a shipped model, or 'file' for the visitor's own
 * @property {{ [name: string]: number }} numbers
 * @property {Augmentation} augmentation
 * @property {{ type: string, size: number, kernel?: number }[] | undefined} layers of the network from scratch
 * @property {number} threshold the confidence below which the answer is 'none of these'
 *
 * How much pictures may change in training, in degrees and percent.
 * @typedef {{ on: boolean, rotation: number, shift: number, zoom: number, brightness: number, contrast: number,
 *   flip: boolean }} Augmentation
 */

/** @type {Values} */
const FIRST = {
  depth: 'head',
  base: '',
  numbers: {},
  augmentation: { on: true, rotation: 10, shift: 10, zoom: 15, brightness: 20, contrast: 15, flip: true },
  layers: undefined,
  threshold: 0.5,
}

/** The visitor's settings, kept as they change. */
export class Settings {
  #store
  #onError
  /** @type {Values} */
  values

  /**
   * @param {Store} store
   * @param {Partial<Values> | undefined} kept
   * @param {(thrown: unknown) => void} onError
   */
  constructor(store, kept, onError) {
    this.#store = store
    this.#onError = onError
    this.values = { ...structuredClone(FIRST), ...kept }
  }

  /** @param {Partial<Values>} changes */
  set(changes) {
    Object.assign(this.values, changes)
    this.#store.set('settings', this.values).catch(this.#onError)
  }
}

/**
 * The trainer's option, in Keras's names and units.
 *
 * @param {Augmentation} augmentation
 */
export function augmentOption({ on, rotation, shift, zoom, brightness, contrast, flip }) {
  /** @param {number} percent */
  const around = (percent) => [1 - percent / 100, 1 + percent / 100]
  return (
    on && {
      rotationRange: rotation,
      widthShiftRange: shift / 100,
      heightShiftRange: shift / 100,
      zoomRange: around(zoom),
      brightnessRange: around(brightness),
      contrastRange: around(contrast),
      horizontalFlip: flip,
    }
  )
}
