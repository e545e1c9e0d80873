/** Blobs as bytes, and back: a private session of WebKit keeps no Blob in IndexedDB. */

/**
 * @typedef {{ bytes: ArrayBuffer, type: string, fileName?: string }} Plain what stands for a Blob, or for a File
 */

/**
 * The value with bytes in place of its Blobs, at any depth.
 *
 * @template Value
 * @param {Value} value
 * @returns {Promise<any>}
 */
export async function plain(value) {
  if (value instanceof Blob) {
    const { type } = value
    return { bytes: await value.arrayBuffer(), type, ...(value instanceof File && { fileName: value.name }) }
  }
  const parts = partsOf(value)
  if (!parts) return value
  const made = await Promise.all(parts.map(async ([key, part]) => [key, await plain(part)]))
  return Array.isArray(value) ? made.map(([, part]) => part) : Object.fromEntries(made)
}

/**
 * What {@link plain} was given. A value that has Blobs stays as it is.
 *
 * @param {any} value
 * @returns {any}
 */
export function whole(value) {
  const parts = partsOf(value)
  if (!parts) return value
  if (value.bytes instanceof ArrayBuffer && typeof value.type === 'string') {
    const { bytes, type, fileName } = /** @type {Plain} */ (value)
    return fileName === undefined ? new Blob([bytes], { type }) : new File([bytes], fileName, { type })
  }
  return Array.isArray(value) ? value.map(whole) : Object.fromEntries(parts.map(([key, part]) => [key, whole(part)]))
}

/**
 * What an array or a simple object is made of; undefined for all else.
 *
 * @param {unknown} value
 */
function partsOf(value) {
  const simple = Array.isArray(value) || (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype)
  return simple ? Object.entries(/** @type {object} */ (value)) : undefined
}
