/** Builds dist/convlet.html: the front page in one file, engine and network inside, for a machine without a network. */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { build } from 'vite'

const root = fileURLToPath(new URL('.', import.meta.url))

/** @type {{ [extension: string]: string }} */
const TYPES = { '.wasm': 'application/wasm', '.safetensors': 'application/octet-stream', '.svg': 'image/svg+xml' }

/**
 * `text` with `from` replaced; a build that would miss it fails.
 *
 * @param {string} text
 * @param {string | RegExp} from
 * @param {(...groups: string[]) => string} to
 */
function swap(text, from, to) {
  const swapped = text.replace(from, to)
  if (swapped === text) throw new Error(`expected to find ${from}`)
  return swapped
}

/**
 * A file as an address that holds it. The name is for people.
 *
 * @param {string} file
 */
function dataAddress(file) {
  return `data:${TYPES[extname(file)]};name=${basename(file)};base64,${readFileSync(file).toString('base64')}`
}

/** What goes into the script when it is built: Vite need not read megabytes. @type {string[]} */
const inserts = []

/**
 * A string literal that stands for `content`.
 *
 * @param {string} content
 */
const insert = (content) => `'insert-${inserts.push(content) - 1}-here'`

/**
 * @param {string} script
 */
const withInserts = (script) =>
  // Between whichever quotes a minifier likes best.
  swap(script, /insert-(\d+)-here/g, (_, place) =>
    JSON.stringify(inserts[Number(place)]).slice(1, -1).replaceAll(/['`$]/g, (quote) => `\\x${quote.charCodeAt(0).toString(16)}`),
  )

/** The whole engine's worker as one classic script: from a file, browsers start no other. */
async function workerScript() {
  const bundle = await rolldown({ input: join(root, 'client/whole-worker.js') })
  const { output } = await bundle.generate({ format: 'iife', codeSplitting: false, minify: true })
  await bundle.close()
  return output[0].code
}

/**
 * Puts what the scripts would fetch into the scripts.
 *
 * @param {string} worker
 * @returns {import('vite').Plugin}
 */
const insides = (worker) => ({
  name: 'insides',
  enforce: 'pre',
  transform(code, id) {
    if (!id.startsWith(root) || id.includes('node_modules')) return
    if (id.endsWith('client/port.js')) {
      const blob = `URL.createObjectURL(new Blob([${insert(worker)}], { type: 'text/javascript' }))`
      code = swap(code, "new URL('./whole-worker.js', import.meta.url)", () => blob)
      code = swap(code, /^.*'\.\/worker\.js'.*\n/m, () => '')
      code = swap(code, "new Worker(address, { type: 'module', ", () => 'new Worker(address, { ')
    }
    // One network is enough to carry.
    if (id.endsWith('page/models.js')) code = swap(code, /(MODELS = \[\n {2}\{[^]*?\n {2}\},)[^]*?\n\]/, (_, first) => `${first}\n]`)
    // One build of the whole engine serves all, as if the page had set it.
    if (id.endsWith('client/build.js')) {
      code = swap(code, /new URL\('[^']*\.wasm', import\.meta\.url\)/g, () => 'undefined')
      code = swap(code, 'whole: {} }', () => `whole: { strict: new URL(${insert(dataAddress(join(root, 'pkg/convlet_bg.wasm')))}) } }`)
    }
    return code.replaceAll(/new URL\('([^']+\.safetensors)', import\.meta\.url\)/g, (_, path) => `new URL(${insert(dataAddress(join(dirname(id), path)))})`)
  },
  // What is inside needs no fetching ahead, and the other pages are not there.
  transformIndexHtml: {
    order: 'pre',
    handler: (html) =>
      html
        .replaceAll(/\s*<link rel="preload".*/g, '')
        .replaceAll(/\s*<(nav|p)\b[^>]*>\s*<a href="\.\/[^]*?<\/\1>/g, '')
        .replaceAll('href="./"', 'href="#"'),
  },
})

/**
 * The built page with its script and styles inside. The policy names them by their hashes.
 *
 * @param {string} html
 * @param {string} script
 * @param {string} style
 */
function inOne(html, script, style) {
  // Only this could end the element before its time.
  const safe = script.replaceAll('</script', '<\\/script')
  const hash = (/** @type {string} */ text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  const policy = [
    "default-src 'none'",
    `script-src ${hash(safe)} 'wasm-unsafe-eval'`,
    `style-src ${hash(style)}`,
    'worker-src blob:; connect-src data:; img-src blob: data:; media-src blob:',
    "base-uri 'none'; form-action 'none'",
  ].join('; ')
  html = swap(html, /\s*<link rel="stylesheet".*/g, () => '')
  html = swap(html, /(<link rel="icon" href=")[^"]*/, (_, before) => before + dataAddress(join(root, 'page/mark.svg')))
  html = swap(html, /(http-equiv="Content-Security-Policy"\s+content=")[^"]*/, (_, before) => before + policy)
  html = swap(html, /\s*<script type="module".*<\/script>/, () => `<style>${style}</style>`)
  return swap(html, '</body>', () => `<script type="module">${safe}</script></body>`)
}

const { output } = /** @type {import('vite').Rolldown.RolldownOutput} */ (
  await build({
    root,
    configFile: false,
    base: './',
    mode: 'file',
    logLevel: 'warn',
    plugins: [insides(await workerScript())],
    build: {
      write: false,
      target: ['chrome111', 'firefox115', 'safari16.4'],
      modulePreload: false,
      cssCodeSplit: false,
      assetsInlineLimit: () => true,
      chunkSizeWarningLimit: 4000,
      rolldownOptions: { input: join(root, 'index.html'), output: { codeSplitting: false } },
    },
  })
)
const text = (/** @type {string} */ end) => {
  const [found, ...others] = output.filter(({ fileName }) => fileName.endsWith(end))
  if (!found || others.length > 0) throw new Error(`expected one ${end}, got ${output.map(({ fileName }) => fileName)}`)
  return found.type === 'chunk' ? found.code : String(found.source)
}

mkdirSync(join(root, 'dist'), { recursive: true })
writeFileSync(join(root, 'dist/convlet.html'), inOne(text('.html'), withInserts(text('.js')), text('.css')))
