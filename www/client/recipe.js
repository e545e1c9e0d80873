/** The names and forms of a training's options: Keras's on this side, Rust's on the other. */
import { ConvletError } from './errors.js'

/**
 * As Keras's `ImageDataGenerator`. A range is a share either way, or the lowest and highest factor.
 *
 * @typedef {object} Augment
 * @property {number} [rotationRange] degrees
 * @property {number} [widthShiftRange] share of the width
 * @property {number} [heightShiftRange] share of the height
 * @property {number} [shearRange] degrees
 * @property {number | [number, number]} [zoomRange] below 1 enlarges
 * @property {boolean} [horizontalFlip]
 * @property {boolean} [verticalFlip]
 * @property {number | [number, number]} [brightnessRange]
 * @property {number | [number, number]} [contrastRange]
 * @property {number | [number, number]} [saturationRange]
 * @property {number} [cutOut] side of a blanked square, as a share of the picture's
 */

/**
 * What is left out is chosen by depth and number of examples: `Trainer.defaults`.
 *
 * @typedef {object} TrainOptions
 * @property {number} [epochs]
 * @property {number} [batchSize]
 * @property {number} [learningRate] Adam's, for the new layer
 * @property {number} [baseRate] the factor on it for the layers of the base
 * @property {number} [weightDecay]
 * @property {number | null} [globalClipnorm] the largest norm of all gradients together; null: any
 * @property {number | null} [emaMomentum]
 * @property {'constant' | 'cosine' | 'one_cycle' | 'plateau'} [schedule]
 * @property {number} [labelSmoothing]
 * @property {number | null} [earlyStopping] epochs
 * @property {boolean} [restoreBestWeights]
 * @property {number} [seed]
 * @property {Augment | false} [augment]
 * @property {number} [variants] in depth 'head': variants of each picture, itself included
 * @property {number} [validationSplit]
 */

/** Options that are a share either way. */
const RANGES = ['zoomRange', 'brightnessRange', 'contrastRange', 'saturationRange']

/** @param {string} name */
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
/** @param {string} name */
const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())

/**
 * What is said of options: not what is undefined.
 *
 * @param {{ [name: string]: any }} options
 * @param {string} what they are, for messages
 * @returns {[name: string, value: any][]}
 */
function said(options, what) {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  for (const [name, value] of entries) {
    const wrong = [value].flat().map(troubleOf).find(Boolean)
    if (wrong) throw new ConvletError('argument', `${what}: ${name}: ${wrong}`)
  }
  return entries
}

/**
 * Why a value cannot cross to Rust, which takes JSON.
 *
 * @param {unknown} value
 */
function troubleOf(value) {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `expected a finite number, got ${value}`
  if (value === null || ['boolean', 'string'].includes(typeof value)) return undefined
  return `expected a number, true, false, null or a name, got ${typeof value}`
}

/**
 * @param {Augment | false} augment
 * @returns {{ [name: string]: any }}
 */
export function augmentToRust(augment) {
  return Object.fromEntries(
    said(augment || {}, 'augment').map(([name, value]) => [
      snake(name),
      RANGES.includes(name) && typeof value === 'number' ? [1 - value, 1 + value] : value,
    ]),
  )
}

/**
 * What is said of a recipe, as Rust calls it.
 *
 * @param {TrainOptions} options
 * @returns {{ [name: string]: any }}
 */
export function toRust({ augment, validationSplit, ...options }) {
  const given = said(options, 'options').map(([name, value]) => [snake(name), value])
  return { ...Object.fromEntries(given), ...(augment !== undefined && { augment: augmentToRust(augment) }) }
}

/**
 * @param {{ [name: string]: any }} recipe Rust's
 * @returns {{ [name: string]: any }}
 */
export function fromRust(recipe) {
  const value = (/** @type {any} */ value) =>
    value && typeof value === 'object' && !Array.isArray(value) ? fromRust(value) : value
  return Object.fromEntries(Object.entries(recipe).map(([name, own]) => [camel(name), value(own)]))
}
