import { crc32, deflateSync } from 'node:zlib'

/** Pictures and films that tests make for themselves. */

/** @typedef {[red: number, green: number, blue: number, alpha?: number]} Colour */

/**
 * A PNG with alpha.
 *
 * @param {number} width
 * @param {number} height
 * @param {(x: number, y: number) => Colour} colour
 */
export function png(width, height, colour) {
  const stride = 1 + width * 4
  const raw = Buffer.alloc(height * stride)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [red, green, blue, alpha = 255] = colour(x, y)
      raw.set([red, green, blue, alpha], y * stride + 1 + x * 4)
    }
  return pngFile([header(width, height, 8, 6), chunk('IDAT', deflateSync(raw))])
}

/**
 * A PNG of one colour, one bit a pixel: small however large it is.
 *
 * @param {number} width
 * @param {number} height
 * @param {Colour} colour
 */
export function plainPng(width, height, [red, green, blue]) {
  const raw = Buffer.alloc(height * (1 + Math.ceil(width / 8)))
  return pngFile([
    header(width, height, 1, 3),
    chunk('PLTE', Buffer.from([red, green, blue])),
    chunk('IDAT', deflateSync(raw)),
  ])
}

function header(width, height, depth, colourType) {
  const data = Buffer.alloc(13)
  data.writeUInt32BE(width, 0)
  data.writeUInt32BE(height, 4)
  data[8] = depth
  data[9] = colourType
  return chunk('IHDR', data)
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  body.copy(framed, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}

const pngFile = (chunks) =>
  Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...chunks, chunk('IEND', Buffer.alloc(0))])

/**
 * A film for Chromium's fake camera, which plays it round and round: a frame a colour, ten frames a second.
 *
 * @param {Colour[]} colours
 */
export function film(colours, width = 320, height = 240) {
  const frames = colours.map(([red, green, blue]) => {
    // BT.601, studio range, as the camera expects it.
    const y = 16 + 0.257 * red + 0.504 * green + 0.098 * blue
    const u = 128 - 0.148 * red - 0.291 * green + 0.439 * blue
    const v = 128 + 0.439 * red - 0.368 * green - 0.071 * blue
    const plane = (value, size) => Buffer.alloc(size, Math.round(value))
    const quarter = (width * height) / 4
    return Buffer.concat([Buffer.from('FRAME\n'), plane(y, width * height), plane(u, quarter), plane(v, quarter)])
  })
  return Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420jpeg\n`), ...frames])
}
