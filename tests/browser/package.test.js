/** The npm package, as whoever installs it meets it: packed, installed without a network, run and type-checked. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { colourModel } from './support/models.js'
import { Consumer } from './support/package.js'
import { WWW } from './support/server.js'

/** Bytes that an install downloads. */
const PACKAGE_BUDGET = 1_200_000

let consumer

before(async () => {
  consumer = await Consumer.create()
  await consumer.write({ 'model.safetensors': colourModel() })
})

after(() => consumer?.remove())

test('the package holds scripts, types, all builds and the licences, and no more', () => {
  const paths = consumer.packed.files.map(({ path }) => path)
  for (const path of paths)
    assert.match(path, /^(client|elements)\/[\w-]+\.js$|^types\/.*\.d\.ts$|^pkg\/(classifier|convlet)(_relaxed)?_bg\.wasm$|^(package\.json|README\.md|CHANGELOG\.md|LICENSE-\w+)$/)
  const described = JSON.parse(readFileSync(join(consumer.installed, 'package.json'), 'utf8'))
  for (const [name, target] of Object.entries(described.exports)) {
    if (typeof target === 'string' || name.includes('*')) continue
    assert.equal(Object.keys(target)[0], 'types')
    for (const path of Object.values(target)) assert.ok(paths.includes(path.slice(2)), `${name}: ${path}`)
  }
  for (const key of ['types', 'jsdelivr', 'unpkg']) assert.ok(paths.includes(described[key].slice(2)), key)
  assert.ok(!('private' in described) && !('dependencies' in described) && !('scripts' in described))
  assert.ok(consumer.packed.size < PACKAGE_BUDGET, `${consumer.packed.size} bytes packed`)
})

test('Node: bytes in, predictions out', async () => {
  await consumer.write({
    'classify.js': `
      import { readFile } from 'node:fs/promises'
      import { Classifier } from 'convlet/classifier'
      const classifier = await Classifier.load(new Uint8Array(await readFile('model.safetensors')))
      const data = new Uint8Array(30 * 20 * 4).map((_, index) => [20, 30, 240, 255][index % 4])
      const predictions = await classifier.classify({ data, width: 30, height: 20 })
      const short = await classifier.classify({ data, width: 31, height: 20 }).catch(({ name, code }) => [name, code])
      const { ConvletError } = await import('convlet')
      console.log(JSON.stringify({ predictions, short, error: typeof ConvletError }))`,
  })
  const { predictions, short, error } = JSON.parse(await consumer.run(process.execPath, 'classify.js'))
  assert.equal(predictions[0].label, 'blue')
  assert.ok(Math.abs(predictions.reduce((sum, { confidence }) => sum + confidence, 0) - 1) < 1e-6)
  assert.deepEqual(short, ['ConvletError', 'picture'])
  assert.equal(error, 'function')
})

test('Node: the engine may be given as bytes, as an address, compiled', async () => {
  const wasm = pathToFileURL(join(consumer.installed, 'pkg/convlet_bg.wasm')).href
  await consumer.write({
    'given.js': `
      import { readFile } from 'node:fs/promises'
      import { Classifier, setWasm } from 'convlet'
      const bytes = await readFile(new URL(process.argv[3]))
      const ways = { bytes, address: process.argv[3], module: new WebAssembly.Module(bytes), wrong: bytes.subarray(9) }
      setWasm({ strict: ways[process.argv[2]] })
      const load = async () => Classifier.load(new Uint8Array(await readFile('model.safetensors')))
      console.log(await load().then(({ labels }) => labels.join(), ({ code }) => code))`,
  })
  for (const way of ['bytes', 'address', 'module'])
    assert.equal(await consumer.run(process.execPath, 'given.js', way, wasm), 'red,green,blue\n')
  assert.equal(await consumer.run(process.execPath, 'given.js', 'wrong', wasm), 'engine\n')
})

test('Node: elements can be imported, as where pages are rendered ahead', async () => {
  const elements = consumer.packed.files.map(({ path }) => path).filter((path) => path.startsWith('elements/'))
  await consumer.write({ 'ahead.js': `
    for (const element of ${JSON.stringify(elements)}) await import('convlet/' + element)
    console.log('all')` })
  assert.ok(elements.length > 10)
  assert.equal(await consumer.run(process.execPath, 'ahead.js'), 'all\n')
})

test('Node: what only a page can give is asked for by name', async () => {
  await consumer.write({ 'wrong.js': `
    import { readFile } from 'node:fs/promises'
    import { Classifier } from 'convlet'
    const said = async (promise) => promise.then(() => 'nothing', ({ name, message }) => name + ': ' + message)
    const classifier = await Classifier.load(new Uint8Array(await readFile('model.safetensors')))
    console.log(JSON.stringify([
      await said(Classifier.load('model.safetensors')),
      await said(classifier.classify()),
      await said(classifier.classify(new Blob(['x'], { type: 'image/png' }))),
      await said(classifier.classify({ data: [1, 2], width: 1, height: 1 })),
    ]))` })
  const said = JSON.parse(await consumer.run(process.execPath, 'wrong.js'))
  for (const [place, message] of [/expected its bytes, or an address/, /expected a picture .* got undefined/, /expected pixels/, /four bytes .* got Array/].entries())
    assert.match(said[place], message)
  assert.ok(said.every((text) => text.startsWith('ConvletError: ')))
})

test('types: right use passes, wrong use does not', async () => {
  const check = (name, code) =>
    consumer.write({ [name]: code }).then(() =>
      consumer.run(
        join(WWW, 'node_modules/.bin/tsc'), '--noEmit', '--strict', '--module', 'nodenext',
        '--target', 'es2022', '--lib', 'es2024,dom,dom.iterable,dom.asynciterable', name,
      ),
    )
  await check('right.ts', `
    import { Camera, Classifier, ConvletError, setWasm } from 'convlet'
    import { Classifier as Alone } from 'convlet/classifier'
    import { ConvletClassifier } from 'convlet/elements/convlet-classifier.js'
    setWasm({ strict: 'https://host/convlet_bg.wasm', classifier: { strict: 'https://host/classifier_bg.wasm' } })
    const classifier: Alone = await Classifier.load('model.safetensors', { deterministic: true })
    const [{ label, confidence }] = await classifier.classify(new ImageData(1, 1), { topK: 1 })
    export const words: [string, number] = [label, confidence]
    export const inside = document.querySelector('convlet-classifier')?.answer?.predictions
    export { Camera, ConvletClassifier, ConvletError }`)
  await assert.rejects(
    check('wrong.ts', `
      import { Classifier } from 'convlet'
      const classifier = await Classifier.load('model.safetensors')
      export const sum: number = await classifier.classify(42)`),
    ({ stdout }) => /wrong\.ts.*TS2345/.test(stdout) && /wrong\.ts.*TS2322/.test(stdout),
  )
})
