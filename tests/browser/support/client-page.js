import { newPage } from './browser.js'
import { answerWith } from './convlet-page.js'
import { useMortalWorkers } from './faults.js'
import { colourModel } from './models.js'
import { serve, WWW } from './server.js'

/** An empty page. */
const BLANK = answerWith('<!doctype html><link rel="icon" href="data:,"><title>blank</title>', { 'content-type': 'text/html' })

/**
 * The sources, an empty page `/blank.html`, a model `/colours.safetensors`, and what else a test wants answered.
 *
 * @param {Parameters<typeof serve>[1]} [answers]
 */
export const serveClient = (answers = {}) =>
  serve(WWW, { '/blank.html': BLANK, '/colours.safetensors': answerWith(colourModel()), ...answers })

/**
 * A page with the client in it, workers that can be killed, and a model that works; or an engine of the test's own.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {{ url: string }} server of `serveClient`
 * @param {{ clock?: boolean, wasm?: Parameters<import('../../../www/client/build.js').setWasm>[0] }} [options] `clock`:
 *   time can be made to pass; `wasm`: where the engine is
 */
export async function openClient(browser, server, { clock = false, wasm } = {}) {
  const opened = await newPage(browser)
  const { page } = opened
  await useMortalWorkers(page)
  if (clock) await page.clock.install()
  await page.goto(`${server.url}blank.html`)
  await page.evaluate(async (wasm) => {
    Object.assign(globalThis, await import('./client/convlet.js'), await import('./client/build.js'))
    if (wasm) setWasm(wasm)
    globalThis.outcome = (promise) => promise.then((value) => value ?? 'resolved', ({ name, code, message }) => ({ name, code, message }))
    globalThis.red = () => {
      const data = new ImageData(9, 9)
      for (let at = 0; at < data.data.length; at += 4) data.data.set([220, 20, 30, 255], at)
      return data
    }
    globalThis.best = async (classifier, source = red()) => (await classifier.classify(source))[0].label
    if (!wasm) globalThis.classifier = await Classifier.load('colours.safetensors', { deterministic: true })
  }, wasm)
  return opened
}
