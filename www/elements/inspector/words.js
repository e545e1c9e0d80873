/** What a layer is and does, in words. */

import { percent, short, twoDigits, whole } from '../support/format.js'

/** @import { Layer, Learning } from '../../client/inspector.js' */

/**
 * @param {Layer} layer
 */
export function describe({ className, config, outputShape, weights }) {
  const count = weights.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0)
  const parts = [does(className, config), `puts out ${shapeText(outputShape)}`]
  if (count > 0) parts.push(`${whole(count)} parameters`)
  return `${parts.join('; ')}.`
}

/**
 * How a layer learns, in short.
 *
 * @param {Learning | undefined} learning
 */
export function paceOf(learning) {
  if (!learning?.weights) return ''
  return `gradient ${twoDigits(learning.gradients)}, moved ${percent(learning.moved / learning.weights)}`
}

/**
 * @param {Learning | undefined} learning
 */
export function describeLearning(learning) {
  if (!learning?.weights) return ''
  const { weights, gradients, moved } = learning
  const steps = gradients ? `the last step’s gradients ${twoDigits(gradients)}` : 'and it stands still in this training'
  const size = `Its weights are ${twoDigits(weights)} in size (the root of their mean square)`
  return `${size}, ${steps}; they have moved by ${twoDigits(moved)}.`
}

/**
 * @param {number[]} shape
 */
export const shapeText = (shape) => shape.join(' × ')

/** Keras's configuration may say a pair or one number for both. @param {any} value */
export const pair = (value, otherwise = 1) => [value ?? otherwise].flat().concat([value ?? otherwise].flat()).slice(0, 2)

/**
 * @param {string} className
 * @param {Record<string, any>} config
 */
function does(className, config) {
  const { activation } = config
  const after = activation && activation !== 'linear' ? `, then ${activationName(className, config)}` : ''
  const stride = Number(pair(config.strides)[0]) > 1 ? ` in steps of ${pair(config.strides)[0]}` : ''
  const kernel = shapeText(pair(config.kernel_size))
  const padding = config.padding === 'same' ? ', padded with zeros' : ''
  switch (className) {
    case 'Conv2D':
      return `Slides ${config.filters} kernels of ${kernel}${stride} over all channels${padding}${after}`
    case 'DepthwiseConv2D':
      return `Slides one kernel of ${kernel}${stride} over each channel${padding}${after}`
    case 'SeparableConv2D':
      return `Slides a kernel of ${kernel}${stride} over each channel and mixes them into ${config.filters}${after}`
    case 'MaxPooling2D':
      return `Keeps the largest of each window of ${shapeText(pair(config.pool_size, 2))}`
    case 'AveragePooling2D':
      return `Keeps the mean of each window of ${shapeText(pair(config.pool_size, 2))}`
    case 'GlobalAveragePooling2D':
      return 'Keeps the mean of each channel'
    case 'Dense':
      return `Each of ${config.units} units adds up all inputs, weighed${after}`
    case 'BatchNormalization':
      return 'Shifts and scales each channel by what it usually is'
    case 'Add':
      return 'Adds its inputs, number by number'
    case 'Concatenate':
      return 'Puts the channels of its inputs side by side'
    case 'Flatten':
      return 'Puts all numbers into one row'
    case 'Dropout':
      return 'Passes all on (in training it forgets some at random)'
    case 'ZeroPadding2D':
      return 'Adds a border of zeros'
    case 'Rescaling':
      return `Multiplies by ${short(config.scale)} and adds ${short(config.offset ?? 0)}`
    default:
      return `Applies ${activationName(className, config)} to each number`
  }
}

/**
 * @param {string} className
 * @param {Record<string, any>} config
 * @returns {string} empty where there is none
 */
export function activationName(className, { activation, max_value }) {
  const name = ['ReLU', 'LeakyReLU', 'Softmax'].includes(className) ? className : activation
  if (!name || name === 'linear') return ''
  if (name === 'relu' || name === 'ReLU') return max_value ? `ReLU up to ${max_value}` : 'ReLU'
  return String(name).toLowerCase()
}
