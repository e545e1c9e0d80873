/** The npm package in a project that Vite builds and serves. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { launch, newPage } from './support/browser.js'
import { colourModel } from './support/models.js'
import { Consumer } from './support/package.js'
import { serve, WWW } from './support/server.js'

let browser, consumer, vite

before(async () => {
  consumer = await Consumer.create()
  await consumer.write({
    'index.html': '<!doctype html><link rel="icon" href="data:,"><title>app</title><script type="module" src="main.js"></script>',
    'public/model.safetensors': colourModel(),
    'main.js': `
      import { Classifier } from 'convlet'
      import { ConvletClassifier } from 'convlet/elements/convlet-classifier.js'
      const classifier = await Classifier.load(new URL('model.safetensors', document.baseURI))
      const blue = { data: new Uint8Array(400).map((_, index) => [20, 30, 240, 255][index % 4]), width: 10, height: 10 }
      const [{ label }] = await classifier.classify(blue)
      document.title = label + ', ' + (customElements.get('convlet-classifier') === ConvletClassifier)`,
  })
  vite = await import(pathToFileURL(createRequire(join(WWW, 'vite.config.js')).resolve('vite')).href)
  browser = await launch()
})

after(async () => {
  await browser?.close()
  await consumer?.remove()
})

/** The page at `url` classifies, in a worker. */
async function works(url) {
  const { page, context, assertQuiet } = await newPage(browser)
  await page.goto(url)
  await page.waitForFunction(() => document.title !== 'app')
  assert.equal(await page.title(), 'blue, true')
  assert.equal(page.workers().length, 1)
  assertQuiet()
  await context.close()
}

test('Vite builds it as it is', async () => {
  await vite.build({ root: consumer.folder, base: './', configFile: false, logLevel: 'error' })
  const site = await serve(join(consumer.folder, 'dist'))
  await works(site.url)
  await site.close()
})

for (const [how, optimizeDeps] of [['as it is', {}], ['left out of its bundling ahead', { exclude: ['convlet'] }]])
  test(`Vite’s dev server serves it, ${how}`, async () => {
    const server = await vite.createServer({
      root: consumer.folder,
      configFile: false,
      logLevel: 'error',
      server: { port: 0, host: '127.0.0.1' },
      optimizeDeps,
    })
    await server.listen()
    await works(server.resolvedUrls.local[0])
    await server.close()
  })
