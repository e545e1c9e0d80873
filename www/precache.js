import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/**
 * Writes the service worker, with the list of the build's files.
 *
 * @type {import('vite').Plugin}
 */
export const precache = {
  name: 'precache',
  apply: 'build',
  enforce: 'post',
  generateBundle(_, bundle) {
    const files = Object.keys(bundle).sort()
    const hash = createHash('sha256')
    for (const file of files) {
      const output = bundle[file]
      hash.update(file).update(output.type === 'chunk' ? output.code : output.source)
    }
    const build = { version: hash.digest('hex').slice(0, 16), files }
    const script = readFileSync(new URL('page/service-worker.js', import.meta.url), 'utf8')
    this.emitFile({
      type: 'asset',
      fileName: 'service-worker.js',
      source: `globalThis.build = ${JSON.stringify(build)}\n${script}`,
    })
  },
}
