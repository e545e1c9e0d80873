/**
 * Pictures of every kind, brought to the engine at their own size: Rust alone crops, resizes and rescales, so the same
 * pixels give the same answer everywhere.
 */
import { ConvletError, messageOf } from './errors.js'
import { readStraight } from './straight.js'

/**
 * @typedef {HTMLImageElement | SVGImageElement | HTMLCanvasElement | OffscreenCanvas | HTMLVideoElement | ImageBitmap
 *   | Pixels | Blob} PictureSource
 * @typedef {{ data: Uint8Array | Uint8ClampedArray, width: number, height: number }} Pixels RGBA bytes, row by row from
 *   the top left: an `ImageData`, or what a decoder elsewhere gives
 * @typedef {ImageBitmap | Pixels} Picture what can be sent to a worker
 */

/**
 * Colours and alpha as the file has them: a colour profile or a premultiplied alpha would change the numbers.
 *
 * @type {ImageBitmapOptions}
 */
const AS_STORED = { colorSpaceConversion: 'none', premultiplyAlpha: 'none' }

/**
 * The picture behind `source`, at its own size. The caller owns it: an `ImageBitmap` is always a fresh one.
 *
 * @param {PictureSource} source
 * @returns {Promise<Picture>}
 */
export async function pictureOf(source) {
  if (typeof source !== 'object' || !source)
    throw new ConvletError('picture', `expected a picture (image, canvas, video, bitmap, file or pixels), got ${source}`)
  if ('data' in source) return checkedPixels(source)
  if (!globalThis.createImageBitmap)
    throw new ConvletError('picture', 'expected pixels ({ data, width, height }): nothing else can be read outside of a browser')
  try {
    return source instanceof Blob ? await decode(source) : await createImageBitmap(await drawable(source), AS_STORED)
  } catch (thrown) {
    if (thrown instanceof ConvletError) throw thrown
    const name = source instanceof Blob ? nameOf(source) : 'the picture'
    throw new ConvletError('picture', `${name} cannot be read as a picture (${messageOf(thrown)})`, { cause: thrown })
  }
}

/**
 * @param {Pixels} pixels
 */
function checkedPixels({ data, width, height }) {
  const bytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray
  if (bytes && width > 0 && height > 0 && data.length === width * height * 4) return { data, width, height }
  const came = bytes ? `${data.length} for ${width} x ${height}` : Object.prototype.toString.call(data).slice(8, -1)
  throw new ConvletError('picture', `pixels: expected four bytes for each of width x height, got ${came}`)
}

/**
 * @param {Blob} blob
 */
function decode(blob) {
  return blob.type.startsWith('image/svg') ? decodeDrawing(blob) : createImageBitmap(blob, AS_STORED)
}

/**
 * An SVG has no pixels of its own; only an image element draws one.
 *
 * @param {Blob} blob
 */
async function decodeDrawing(blob) {
  const image = new Image()
  image.src = URL.createObjectURL(blob)
  try {
    return await createImageBitmap(await drawable(image), AS_STORED)
  } finally {
    URL.revokeObjectURL(image.src)
  }
}

/**
 * The source once it has something to draw.
 *
 * @template {Exclude<PictureSource, Pixels | Blob>} Source
 * @param {Source} source
 */
async function drawable(source) {
  // One that is there is not asked to decode: Chromium answers that only when it next draws, which may be never.
  if (source instanceof HTMLImageElement && !(source.complete && source.naturalWidth > 0)) await source.decode()
  if (source instanceof HTMLVideoElement && source.readyState < HTMLMediaElement.HAVE_CURRENT_DATA)
    throw new ConvletError('picture', 'the video has no frame yet')
  return source
}

/**
 * @param {Blob} blob
 */
const nameOf = (blob) => (blob instanceof File && blob.name ? blob.name : 'the picture')

/**
 * What `thrown` means, where a browser keeps a picture's pixels to itself: it may be shown, but neither read nor sent to
 * a worker.
 *
 * @param {unknown} thrown
 */
export function secrecy(thrown) {
  if (!(thrown instanceof DOMException && ['DataCloneError', 'SecurityError'].includes(thrown.name))) return thrown
  const message = 'the picture comes from another site, which does not let this page read it (its image needs crossorigin, its server CORS)'
  return new ConvletError('picture', message, { cause: thrown })
}

/** Pixels a canvas holds at a time: a picture of 100 megapixels passes through in strips of 16 MiB. */
const STRIP_PIXELS = 1 << 22
/** No browser refuses a canvas this wide. */
const STRIP_WIDTH = 4096

/** @type {OffscreenCanvasRenderingContext2D | undefined} */
let strip

/**
 * Writes the RGBA bytes of `picture`, row by row from the top left, into `target`.
 *
 * @param {Picture} picture
 * @param {Uint8ClampedArray} target width x height x 4 bytes
 */
export function copyPixels(picture, target) {
  if ('data' in picture) return target.set(picture.data)
  const { width, height } = picture
  const stripWidth = Math.min(width, STRIP_WIDTH)
  const stripHeight = Math.min(height, Math.floor(STRIP_PIXELS / stripWidth))
  const context = stripContext(stripWidth, stripHeight)
  for (let top = 0; top < height; top += stripHeight)
    for (let left = 0; left < width; left += stripWidth) {
      const columns = Math.min(stripWidth, width - left)
      const rows = Math.min(stripHeight, height - top)
      context.drawImage(picture, left, top, columns, rows, 0, 0, columns, rows)
      const { data } = context.getImageData(0, 0, columns, rows)
      const bytes = (!isOpaque(data) && readStraight(picture, left, top, columns, rows)) || data
      copyRows(bytes, columns * 4, target, (top * width + left) * 4, width * 4)
    }
}

/**
 * The one canvas, at least this large. Pixels are replaced, not blended, so nothing shows through from the last strip.
 *
 * @param {number} width
 * @param {number} height
 */
function stripContext(width, height) {
  if (!strip || strip.canvas.width < width || strip.canvas.height < height) {
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })
    if (!context) throw new ConvletError('engine', 'this browser gives no canvas to read pictures with')
    context.globalCompositeOperation = 'copy'
    context.imageSmoothingEnabled = false
    strip = context
  }
  return strip
}

/**
 * @param {Uint8ClampedArray} rgba
 */
function isOpaque(rgba) {
  for (let alpha = 3; alpha < rgba.length; alpha += 4) if (rgba[alpha] < 255) return false
  return true
}

/**
 * @param {Uint8ClampedArray} from rows of `length` bytes, one after the other
 * @param {number} length
 * @param {Uint8ClampedArray} to
 * @param {number} offset where the first row goes
 * @param {number} stride bytes from a row in `to` to the next
 */
export function copyRows(from, length, to, offset, stride) {
  if (length === stride) return to.set(from, offset)
  for (let row = 0; row * length < from.length; row++)
    to.set(from.subarray(row * length, (row + 1) * length), offset + row * stride)
}
