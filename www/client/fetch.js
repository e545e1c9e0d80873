import { ConvletError, messageOf } from './errors.js'
import { within } from './within.js'

/** Milliseconds without a byte after which a download counts as stalled. */
const PATIENCE = 30_000

/**
 * How far a download is. `total` and `progress` are undefined where the server does not tell the size.
 *
 * @typedef {{ file: string, loaded: number, total?: number, progress?: number }} Progress
 */

/**
 * The last part of an address, for messages; of one that holds the file itself, the name it gives.
 *
 * @param {string | URL} url
 */
export function fileName(url) {
  const [, name] = /^data:[^,]*;name=([^;,]+)/.exec(String(url).slice(0, 256)) ?? []
  if (name) return name
  const path = String(url).split(/[?#]/)[0]
  return decodeURIComponent(path.slice(path.lastIndexOf('/') + 1)) || String(url)
}

/**
 * The bytes behind `url`. Rejects with a `ConvletError` that names the file when it cannot be had whole.
 *
 * @param {string | URL} url
 * @param {{ signal?: AbortSignal, onProgress?: (progress: Progress) => void }} [options]
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function fetchBytes(url, { signal, onProgress } = {}) {
  const file = fileName(url)
  try {
    const response = await soon(file, fetch(url, { signal }))
    if (!response.ok) throw new ConvletError('network', `${file}: the server answered ${response.status}`)
    if (response.headers.get('content-type')?.startsWith('text/html'))
      throw new ConvletError('file', `${file}: expected a model file, got an HTML page`)
    return await readBody(response, file, onProgress)
  } catch (thrown) {
    signal?.throwIfAborted()
    if (thrown instanceof ConvletError) throw thrown
    // Outside of a page, there is nothing that an address could be beside.
    if (/** @type {any} */ (thrown)?.cause?.code === 'ERR_INVALID_URL')
      throw new ConvletError('argument', `${file}: expected its bytes, or an address with https, got ${url}`, { cause: thrown })
    throw new ConvletError('network', `${file}: could not be fetched (${messageOf(thrown)})`, { cause: thrown })
  }
}

/**
 * @param {Response} response
 * @param {string} file
 * @param {((progress: Progress) => void) | undefined} onProgress
 */
async function readBody(response, file, onProgress) {
  const total = bodyLength(response.headers)
  /** @type {Uint8Array[]} */
  const chunks = []
  let loaded = 0
  const report = () => onProgress?.({ file, loaded, total, progress: total && loaded / total })
  report()
  const reader = response.body?.getReader()
  const next = () => soon(file, Promise.resolve(reader?.read()))
  try {
    for (let chunk = await next(); chunk?.value; chunk = await next()) {
      chunks.push(chunk.value)
      loaded += chunk.value.length
      report()
    }
  } catch (thrown) {
    // One that stalled is not to hold its connection.
    reader?.cancel().catch(() => {})
    throw thrown
  }
  if (total !== undefined && loaded !== total)
    throw new ConvletError('network', `${file}: expected ${total} bytes, the connection ended after ${loaded}`)
  return concatenate(chunks, loaded)
}

/**
 * What comes from the server next, or an error where it keeps silent.
 *
 * @template Result
 * @param {string} file
 * @param {Promise<Result>} coming
 */
const soon = (file, coming) =>
  within(
    PATIENCE,
    coming,
    () => new ConvletError('network', `${file}: the server sent nothing for ${PATIENCE / 1000} seconds`),
  )

/**
 * The length of the body as it will arrive here, if the headers tell: a compressed one is counted before unpacking.
 *
 * @param {Headers} headers
 */
function bodyLength(headers) {
  const length = Number(headers.get('content-length') ?? NaN)
  return Number.isInteger(length) && !headers.has('content-encoding') ? length : undefined
}

/**
 * @param {Uint8Array[]} chunks
 * @param {number} length
 */
function concatenate(chunks, length) {
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}
