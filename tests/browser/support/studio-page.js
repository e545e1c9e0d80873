import { ConvletPage } from './convlet-page.js'

/** The studio as its visitor meets it. */
export class StudioPage extends ConvletPage {
  /**
   * @param {import('playwright-core').Browser} browser
   * @param {string} url of the site
   * @param {import('playwright-core').BrowserContextOptions} [options]
   * @param {(page: import('playwright-core').Page) => Promise<void>} [prepare] before anything is loaded
   */
  static async open(browser, url, options, prepare) {
    const studio = await super.open(browser, `${url}teach.html`, options, prepare)
    await studio.ready()
    return studio
  }

  /** Waits until the classes are there. */
  async ready() {
    await this.page.locator('.class-card').first().waitFor()
  }

  async reload() {
    await this.page.reload()
    await this.ready()
  }

  /** @param {string} name */
  card(name) {
    return this.page.locator('.class-card', { has: this.page.locator(`.class-name[aria-label="Name of ${name}"]`) })
  }

  /** The classes as the page shows them: names and counts. */
  classes() {
    return this.page.locator('.class-card').evaluateAll((cards) =>
      cards.map((card) => [card.querySelector('.class-name').value, Number.parseInt(card.querySelector('.class-count').textContent.replace(',', ''))]),
    )
  }

  /**
   * @param {string} from
   * @param {string} to
   */
  async rename(from, to) {
    const name = this.card(from).locator('.class-name')
    await name.fill(to)
    await name.press('Enter')
    await this.card(to).waitFor()
  }

  /**
   * @param {string} name
   * @param {number} count at least so many, and no more than a few beyond
   */
  async record(name, count) {
    const button = this.card(name).locator('.record')
    await button.focus()
    const before = (await this.classes()).find(([label]) => label === name)[1]
    await this.page.keyboard.down('Space')
    await this.page.waitForFunction(
      ([name, count]) => {
        const card = [...document.querySelectorAll('.class-card')].find((card) => card.querySelector('.class-name').value === name)
        return Number.parseInt(card.querySelector('.class-count').textContent.replace(',', '')) >= count
      },
      [name, before + count],
    )
    await this.page.keyboard.up('Space')
  }

  /**
   * Gives pictures to a class.
   *
   * @param {string} name
   * @param {{ name: string, mimeType: string, buffer: Buffer }[]} files
   */
  async add(name, files) {
    const count = async () => (await this.classes()).find(([label]) => label === name)[1]
    const before = await count()
    await this.card(name).locator('input[type=file]').setInputFiles(files)
    while ((await count()) < before + files.length) await this.page.waitForTimeout(20)
  }

  /**
   * Lets a file fall on a class, or pastes it while the focus is in the class.
   *
   * @param {string} name
   * @param {'drop' | 'paste'} way
   * @param {{ name: string, mimeType: string, buffer: Buffer }} file
   */
  giveTo(name, way, file) {
    return this.card(name).evaluate(
      (card, [way, name, type, base64]) => {
        const transfer = new DataTransfer()
        transfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name, { type }))
        const options = { bubbles: true, cancelable: true }
        if (way === 'paste') return card.dispatchEvent(new ClipboardEvent('paste', { ...options, clipboardData: transfer }))
        for (const event of ['dragover', 'drop']) card.dispatchEvent(new DragEvent(event, { ...options, dataTransfer: transfer }))
      },
      [way, file.name, file.mimeType, file.buffer.toString('base64')],
    )
  }

  /** Trains to the end. */
  async train() {
    await this.page.locator('#train').click()
    await this.trained()
  }

  /** Waits for the end of the training under way. */
  async trained() {
    await this.page.locator('#progress').waitFor({ state: 'hidden', timeout: 90_000 })
    if (await this.page.locator('#notice').isVisible()) throw new Error(await this.trouble())
    await this.page.locator('#judge-body').waitFor({ state: 'visible' })
  }

  /** Opens a fold. @param {string} id */
  async unfold(id) {
    await this.page.locator(`#${id} > summary`).click()
  }
}
