import { ConvletError } from './errors.js'
import { pictureOf } from './pixels.js'

/** Pixels of the longer side that are kept: more than any network here looks at, and some 10 kB a picture. */
const LONGEST_SIDE = 256
/** Hardly to be told from the original. */
const QUALITY = 0.92

/** The one canvas: a burst of pictures needs no more. @type {OffscreenCanvas | undefined} */
let canvas

/**
 * A picture as it is kept: a JPEG no larger than it needs to be.
 *
 * @param {Blob | HTMLVideoElement} source
 * @returns {Promise<Blob>}
 */
export async function shrink(source) {
  // Neither of these ever comes as bare pixels.
  const picture = /** @type {ImageBitmap} */ (await pictureOf(source))
  const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height))
  canvas ??= new OffscreenCanvas(1, 1)
  canvas.width = Math.max(1, Math.round(picture.width * scale))
  canvas.height = Math.max(1, Math.round(picture.height * scale))
  const context = canvas.getContext('2d')
  if (!context) throw new ConvletError('engine', 'this browser gives no canvas to shrink pictures with')
  context.imageSmoothingQuality = 'high'
  // A JPEG has no alpha: what shows through is white, as paper.
  context.fillStyle = 'white'
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.drawImage(picture, 0, 0, canvas.width, canvas.height)
  picture.close()
  return canvas.convertToBlob({ type: 'image/jpeg', quality: QUALITY })
}
