import assert from 'node:assert/strict'
import { chromium } from 'playwright-core'

const ARGUMENTS = [
  '--headless',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]

/**
 * Headless Chromium. `tests/run` says where it is; root may only run it without its sandbox.
 *
 * @param {string[]} [more] arguments
 */
export function launch(more = []) {
  const root = process.getuid?.() === 0
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...ARGUMENTS, ...(root ? ['--no-sandbox'] : []), ...more],
  })
}

/**
 * A page that notes what must not happen: errors on the console, uncaught ones, requests to elsewhere.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function newPage(browser, options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  await page.addInitScript(() => {
    globalThis.convletAnswers = []
    document.addEventListener('classify', ({ detail: predictions }) =>
      globalThis.convletAnswers.push({ at: performance.now(), predictions }),
    )
  })
  /** @type {string[]} */
  const troubles = []
  /** @type {string[]} */
  const requests = []
  page.on('console', (message) => {
    if (message.type() === 'error') troubles.push(message.text())
  })
  page.on('pageerror', (error) => troubles.push(error.message))
  page.on('request', (request) => {
    if (!request.url().startsWith('blob:')) requests.push(request.url())
  })
  return {
    page,
    context,
    requests,
    troubles,
    assertQuiet: () => assert.deepEqual(troubles, []),
  }
}
