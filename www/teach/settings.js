/** @import { AnyStore as Store } from './store.js' */

/**
 * What the visitor has set. Numbers that nobody set are not here: the trainer's defaults hold for them.
 *
 * @typedef {object} Values
 * @property {'head' | 'whole' | 'scratch'} depth
 * @property {string} base the id of a shipped model, or 'file' for the visitor's own
 * @property {{ [name: string]: number }} numbers
 * @property {Augmentation | undefined} augmentation undefined: the trainer's own
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
  augmentation: undefined,
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

/** @import { Augment } from '../client/recipe.js' */

/**
 * The trainer's option, in Keras's names and units.
 *
 * @param {Augmentation} augmentation
 * @returns {Augment | false}
 */
export function augmentOption({ on, rotation, shift, zoom, brightness, contrast, flip }) {
  return (
    on && {
      rotationRange: rotation,
      widthShiftRange: shift / 100,
      heightShiftRange: shift / 100,
      zoomRange: zoom / 100,
      brightnessRange: brightness / 100,
      contrastRange: contrast / 100,
      horizontalFlip: flip,
    }
  )
}

/**
 * The trainer's option as the page shows it.
 *
 * @param {Augment | false} augment
 * @returns {Augmentation}
 */
export function shownAugmentation(augment) {
  /** @param {number | number[] | null | undefined} range a share either way, or the lowest and highest factor */
  const percent = (range) => Math.round(100 * (Array.isArray(range) ? range[1] - 1 : (range ?? 0)))
  const { rotationRange, widthShiftRange, zoomRange, brightnessRange, contrastRange, horizontalFlip } = augment || {}
  const shown = {
    rotation: rotationRange ?? 0,
    shift: percent(widthShiftRange),
    zoom: percent(zoomRange),
    brightness: percent(brightnessRange),
    contrast: percent(contrastRange),
    flip: horizontalFlip ?? false,
  }
  return { on: Object.values(shown).some(Boolean), ...shown }
}
