import { newPage } from './browser.js'
import { answerWith } from './convlet-page.js'
import { serve, WWW } from './server.js'

const BLANK =
  '<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Elements</title><main><h1>Elements</h1></main></html>'

/**
 * Serves the sources, with a page that holds nothing yet.
 *
 * @param {{ [path: string]: Buffer }} files
 */
export function serveElements(files) {
  const answers = Object.entries(files).map(([path, body]) => {
    const type = path.endsWith('.png') ? 'image/png' : 'application/octet-stream'
    return [path, answerWith(body, { 'content-type': type })]
  })
  return serve(WWW, { '/blank.html': answerWith(BLANK, { 'content-type': 'text/html' }), ...Object.fromEntries(answers) })
}

/**
 * A page with these elements defined. Its `add` puts an element in, notes its events and waits for one of them.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {{ url: string }} server
 * @param {string[]} names
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function openElements(browser, server, names, options) {
  const opened = await newPage(browser, options)
  const { page } = opened
  await page.addInitScript(() => {
    /** Bytes of wasm memory, as the worker's replies tell. */
    globalThis.wasmMemory = 0
    globalThis.workers = 0
    globalThis.Worker = class extends Worker {
      constructor(...args) {
        super(...args)
        globalThis.workers++
        this.addEventListener('message', ({ data }) => (globalThis.wasmMemory = data.memory ?? globalThis.wasmMemory))
      }
    }
  })
  await page.goto(`${server.url}blank.html`)
  await page.evaluate(async (names) => {
    for (const name of names) await import(`./elements/${name}.js`)
    /** The events of each element, by its id. */
    globalThis.events = {}
    globalThis.add = (name, attributes = {}) => {
      const element = document.createElement(name)
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
      element.id ||= `element${document.querySelectorAll('main > *').length}`
      const events = (globalThis.events[element.id] = [])
      for (const type of ['load', 'progress', 'classify', 'error', 'step', 'output', 'picture', 'epoch', 'train'])
        element.addEventListener(type, ({ detail }) => {
          const { name, code, message } = detail ?? {}
          events.push({ type, detail: detail instanceof Error ? { name, code, message } : detail })
        })
      document.querySelector('main').append(element)
      return element
    }
    globalThis.told = (id, type, count = 1) =>
      new Promise((resolve) => {
        const look = () => {
          const found = globalThis.events[id].filter((event) => event.type === type)
          if (found.length >= count) resolve(found.at(-1).detail)
          else setTimeout(look, 10)
        }
        look()
      })
  }, names)
  return opened
}
