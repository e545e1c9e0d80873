import { join } from 'node:path'
import { newPage } from './browser.js'
import { serve, WWW } from './server.js'

/** The built page as its visitor meets it, over a model that the test chose. */
export class ConvletPage {
  /**
   * @param {Awaited<ReturnType<typeof newPage>>} opened
   */
  constructor(opened) {
    Object.assign(this, opened)
    /** @type {import('playwright-core').Page} */
    this.page = opened.page
  }

  /**
   * @param {import('playwright-core').Browser} browser
   * @param {string} url
   * @param {import('playwright-core').BrowserContextOptions} [options]
   * @param {(page: import('playwright-core').Page) => Promise<void>} [prepare] before anything is loaded
   */
  static async open(browser, url, options, prepare) {
    const opened = new this(await newPage(browser, options))
    await prepare?.(opened.page)
    // Not until all is loaded: a model that stalls is something to test.
    await opened.page.goto(url, { waitUntil: 'domcontentloaded' })
    return opened
  }

  /** Waits for an answer: the `count`th since the page was opened. */
  async answered(count = 1) {
    await this.page.waitForFunction((count) => globalThis.convletAnswers.length >= count, count)
    return this.answer()
  }

  /** Waits for the answer that `act` brings. */
  async answerTo(act) {
    const before = await this.answers()
    await act()
    return this.answered(before + 1)
  }

  /** How many answers there were. */
  answers() {
    return this.page.evaluate(() => globalThis.convletAnswers.length)
  }

  /** The last answer: each label with its confidence. */
  predictions() {
    return this.page.evaluate(() => globalThis.convletAnswers.at(-1).predictions)
  }

  answer() {
    return this.page.locator('#answer').textContent()
  }

  /** The text of the trouble shown. */
  async trouble() {
    await this.page.locator('#notice').waitFor({ state: 'visible' })
    return this.page.locator('#notice-text').textContent()
  }

  /**
   * @param {string} name
   * @param {string} mimeType
   * @param {Buffer} buffer
   */
  choose(name, mimeType, buffer) {
    return this.page.locator('#file').setInputFiles({ name, mimeType, buffer })
  }

  /**
   * @param {string} name
   * @param {Buffer} buffer
   */
  chooseModel(name, buffer) {
    return this.page.locator('#model-file').setInputFiles({ name, mimeType: '', buffer })
  }

  /**
   * Lets a file fall on the page, or pastes it.
   *
   * @param {'drop' | 'paste'} way
   * @param {string} name
   * @param {string} type
   * @param {Buffer} buffer
   */
  give(way, name, type, buffer) {
    return this.page.evaluate(
      ([way, name, type, base64]) => {
        const transfer = new DataTransfer()
        const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))
        transfer.items.add(new File([bytes], name, { type }))
        const options = { bubbles: true, cancelable: true }
        if (way === 'paste')
          return document.body.dispatchEvent(new ClipboardEvent('paste', { ...options, clipboardData: transfer }))
        for (const event of ['dragenter', 'dragover', 'drop'])
          document.body.dispatchEvent(new DragEvent(event, { ...options, dataTransfer: transfer }))
      },
      [way, name, type, buffer.toString('base64')],
    )
  }

  close() {
    return this.context.close()
  }
}

/**
 * Serves the built page with `model` in place of the one it ships.
 *
 * @param {Buffer} [model]
 */
export function servePage(model) {
  return serve(join(WWW, 'dist'), model && { '/models/pets.safetensors': answerWith(model) })
}

/**
 * @param {Buffer | string} body
 * @param {{ [header: string]: string | number }} [headers]
 */
export function answerWith(body, headers = {}) {
  return (_request, response) =>
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': body.length, ...headers }).end(body)
}
