/** Builds the npm package into dist/package: one script for each thing that can be imported, its types, and the engine. */
import { execFileSync } from 'node:child_process'
import { appendFileSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

process.chdir(fileURLToPath(new URL('.', import.meta.url)))

const out = 'dist/package'
const modules = ['client/convlet', 'client/classifier', 'client/trainer', ...elements()]

function elements() {
  return readdirSync('elements').filter((file) => file.endsWith('.js')).map((file) => `elements/${file.slice(0, -3)}`)
}

/**
 * Bundles for browsers and Node alike. Addresses relative to a script stay as they are: all scripts that hold one lie in
 * client/, beside pkg/, as in the sources.
 *
 * @param {string[]} entries
 * @param {import('rolldown').OutputOptions} [options]
 */
async function bundle(entries, options) {
  const build = await rolldown({ input: Object.fromEntries(entries.map((name) => [name, `./${name}.js`])) })
  const names = { entryFileNames: '[name].js', chunkFileNames: 'client/[name]-[hash].js' }
  await build.write({ dir: out, ...names, minify: true, ...options })
  await build.close()
}

function types() {
  execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.package.json'], { stdio: 'inherit' })
  mkdirSync(`${out}/types/pkg`)
  for (const name of ['convlet.d.ts', 'classifier.d.ts']) {
    // Explicit resource management would ask more of a consumer's `lib` than it needs.
    const engine = readFileSync(`pkg/${name}`, 'utf8').replace(/^ *\[Symbol\.dispose\].*\n/gm, '')
    writeFileSync(`${out}/types/pkg/${name}`, engine)
  }
}

/** Tells TypeScript which element a tag is. */
function tagTypes() {
  for (const entry of elements()) {
    const tag = entry.split('/')[1]
    const name = tag.replaceAll(/(?:^|-)(.)/g, (_, first) => first.toUpperCase())
    appendFileSync(`${out}/types/${entry}.d.ts`, `declare global {\n  interface HTMLElementTagNameMap {\n    '${tag}': ${name}\n  }\n}\n`)
  }
}

function description() {
  const { name, version, description, license, type, engines } = JSON.parse(readFileSync('package.json', 'utf8'))
  /** @param {string} file */
  const entry = (file) => ({ types: `./types/${file}.d.ts`, default: `./${file}.js` })
  return {
    ...{ name, version, description, license, type, engines },
    keywords: ['cnn', 'neural-network', 'image-classification', 'training', 'wasm', 'custom-elements'],
    exports: {
      '.': entry('client/convlet'),
      './classifier': entry('client/classifier'),
      './trainer': entry('client/trainer'),
      './elements/*.js': entry('elements/*'),
      './pkg/*.wasm': './pkg/*.wasm',
      './package.json': './package.json',
    },
    types: './types/client/convlet.d.ts',
    jsdelivr: './client/convlet.js',
    unpkg: './client/convlet.js',
    // Elements define themselves when they are imported.
    sideEffects: ['./elements/*.js', './client/worker.js', './client/whole-worker.js'],
  }
}

rmSync(out, { recursive: true, force: true })
await bundle(modules)
// A worker of one file can be copied anywhere, by a bundler that takes it for a plain asset too.
for (const worker of ['client/worker', 'client/whole-worker']) await bundle([worker], { codeSplitting: false })
types()
tagTypes()
mkdirSync(`${out}/pkg`)
for (const file of readdirSync('pkg').filter((file) => file.endsWith('.wasm'))) copyFileSync(`pkg/${file}`, `${out}/pkg/${file}`)
for (const file of ['README.md', 'CHANGELOG.md', 'LICENSE-APACHE', 'LICENSE-MIT']) copyFileSync(`../${file}`, `${out}/${file}`)
writeFileSync(`${out}/package.json`, `${JSON.stringify(description(), undefined, 2)}\n`)
