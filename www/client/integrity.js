import { ConvletError } from './errors.js'

/** Hashes that `integrity` may name, the strongest last. */
const ALGORITHMS = ['sha256', 'sha384', 'sha512']

/**
 * Refuses bytes whose hash is not one of those that `integrity` lists, as browsers do for scripts: of several
 * algorithms only the strongest counts.
 *
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} integrity `sha256-...`, in base64; several are parted by spaces
 * @param {string} name for messages
 */
export async function checkIntegrity(bytes, integrity, name) {
  const hashes = integrity.trim().split(/\s+/).map((hash) => hash.split('?')[0].split(/-(.*)/s))
  const strongest = ALGORITHMS.findLast((algorithm) => hashes.some(([named]) => named === algorithm))
  if (!strongest)
    throw new ConvletError('argument', `integrity: expected sha256-, sha384- or sha512- and a hash, got ${integrity}`)
  // Only secure pages have the means; none at all must not mean that anything goes.
  if (!globalThis.crypto?.subtle)
    throw new ConvletError('integrity', `${name}: its integrity can only be checked on a secure page (https or localhost)`)
  const digest = await crypto.subtle.digest(strongest.replace('sha', 'SHA-'), bytes)
  const found = btoa(String.fromCharCode(...new Uint8Array(digest)))
  const expected = hashes.filter(([named]) => named === strongest).map(([, hash]) => hash)
  if (!expected.includes(found))
    throw new ConvletError('integrity', `${name}: expected ${strongest}-${expected.join(' or ')}, got ${strongest}-${found}`)
}
