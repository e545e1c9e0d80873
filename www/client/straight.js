/**
 * Pixels with alpha, as stored. A 2D canvas keeps colours multiplied by their alpha and rounds them for it; a texture
 * does not.
 */

/** @type {WebGL2RenderingContext | null | undefined} null where the browser has none */
let gl

/**
 * The RGBA bytes of a part of `picture`, or undefined where this browser gives no WebGL: the canvas's are the next best.
 *
 * @param {ImageBitmap} picture
 * @param {number} left
 * @param {number} top
 * @param {number} columns
 * @param {number} rows
 */
export function readStraight(picture, left, top, columns, rows) {
  gl ??= open()
  if (!gl) return
  gl.pixelStorei(gl.UNPACK_SKIP_PIXELS, left)
  gl.pixelStorei(gl.UNPACK_SKIP_ROWS, top)
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, columns, rows, 0, gl.RGBA, gl.UNSIGNED_BYTE, picture)
  const bytes = new Uint8ClampedArray(columns * rows * 4)
  gl.readPixels(0, 0, columns, rows, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(bytes.buffer))
  return gl.getError() === gl.NO_ERROR ? bytes : undefined
}

/** A context whose framebuffer is one texture: what is uploaded can be read back. */
function open() {
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2')
  if (!gl) return null
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture())
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer())
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, gl.getParameter(gl.TEXTURE_BINDING_2D), 0)
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false)
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE)
  return gl
}
