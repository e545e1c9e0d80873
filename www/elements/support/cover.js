/**
 * Fills a canvas with the middle of a picture, as large as fits.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Blob | HTMLCanvasElement} picture
 */
export async function drawCover(canvas, picture) {
  const bitmap = await createImageBitmap(picture)
  const [side, other] = [Math.min(bitmap.width, bitmap.height), Math.max(bitmap.width, bitmap.height)]
  const margin = (other - side) / 2
  const [left, top] = bitmap.width > bitmap.height ? [margin, 0] : [0, margin]
  canvas.getContext('2d')?.drawImage(bitmap, left, top, side, side, 0, 0, canvas.width, canvas.height)
  bitmap.close()
}
