import { byId } from './dom.js'
import { milliseconds } from './format.js'

/** @import { Examination } from '../client/classifier.js' */
/** @import { Description } from '../client/service.js' */

/** What the network was given, drawn from the very tensor, and how long it took to answer. */
export class Seen {
  #canvas = byId('seen', HTMLCanvasElement)
  #size = byId('seen-size', HTMLElement)
  #time = byId('time', HTMLElement)

  /**
   * @param {Description['input']} input
   */
  clear({ width, height }) {
    this.#canvas.width = width
    this.#canvas.height = height
    this.#size.textContent = `${width} × ${height} pixels`
    this.#time.textContent = '–'
  }

  /**
   * @param {Examination} examination
   * @param {Description['input']} input
   */
  show({ seen, milliseconds: { network } }, input) {
    this.#canvas.getContext('2d')?.putImageData(tensorImage(seen, input), 0, 0)
    this.#time.textContent = milliseconds(network)
  }
}

/**
 * A tensor as the picture it was made of.
 *
 * @param {Float32Array} tensor height x width x channels, of one channel (grey) or three
 * @param {Description['input']} input
 */
function tensorImage(tensor, { width, height, channels, rescale }) {
  const image = new ImageData(width, height)
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < 3; channel++)
      image.data[pixel * 4 + channel] = tensor[pixel * channels + Math.min(channel, channels - 1)] / rescale
    image.data[pixel * 4 + 3] = 255
  }
  return image
}
