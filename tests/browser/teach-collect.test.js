/** The studio: classes and their pictures, by every way in, kept over a reload. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, newPage } from './support/browser.js'
import { servePage } from './support/convlet-page.js'
import { png } from './support/pictures.js'
import { showScene, useScenes } from './support/scenes.js'
import { StudioPage } from './support/studio-page.js'

let browser, server

before(async () => {
  browser = await launch()
  server = await servePage()
})

after(async () => {
  await browser?.close()
  await server?.close()
})

/** Pictures of one colour, no two alike. */
const files = (count, [red, green, blue], name = 'picture') =>
  Array.from({ length: count }, (_, index) => ({
    name: `${name}-${index}.png`,
    mimeType: 'image/png',
    buffer: png(40, 30, (x, y) => [red, green, (blue + index * 5 + x + y) % 256]),
  }))

const RED = [220, 30, 40]

/** A studio with a camera of scenes. */
const open = (options) => StudioPage.open(browser, server.url, options, useScenes)

describe('collecting', () => {
  let studio
  before(async () => (studio = await open()))
  after(() => studio?.close())

  test('begins with two empty classes, which are renamed, added to and put in order', async () => {
    assert.deepEqual(await studio.classes(), [['Class 1', 0], ['Class 2', 0]])
    await studio.rename('Class 1', 'ball')
    await studio.rename('Class 2', 'box')
    await studio.page.locator('#add-class').click()
    await studio.page.waitForFunction(() => document.activeElement === document.querySelectorAll('.class-name')[2])
    await studio.page.keyboard.type('bars')
    await studio.page.keyboard.press('Enter')
    await studio.card('bars').getByRole('button', { name: 'Move up' }).click()
    await studio.page.waitForFunction(() => document.querySelectorAll('.class-name')[1].value === 'bars')
    assert.deepEqual(await studio.classes(), [['ball', 0], ['bars', 0], ['box', 0]])
  })

  test('refuses a name that is taken', async () => {
    const name = studio.card('box').locator('.class-name')
    await name.fill('ball')
    await name.press('Enter')
    await studio.page.waitForFunction(() => document.querySelectorAll('.class-name')[2].value === 'box')
  })

  test('records a burst while the button is held, and counts', async () => {
    await studio.page.locator('#camera').click()
    await studio.page.locator('#badge').waitFor()
    await showScene(studio.page, 'ball')
    await studio.record('ball', 5)
    const [[, count]] = await studio.classes()
    assert.ok(count >= 5)
    await studio.page.waitForTimeout(400)
    assert.equal((await studio.classes())[0][1], count, 'a released button records no more')
  })

  test('takes files, and says which are no pictures', async () => {
    await studio.card('box').locator('input[type=file]').setInputFiles([...files(3, RED), { name: 'x.png', mimeType: 'image/png', buffer: Buffer.from('no') }])
    await studio.page.getByText('Added 3 pictures. 1 file could not be read as pictures.').waitFor()
    assert.equal((await studio.classes())[2][1], 3)
  })

  test('takes a drop and a paste onto a class', async () => {
    const [file] = files(1, RED)
    for (const [way, count] of [['drop', 4], ['paste', 5]]) {
      await studio.card('box').locator('.record').focus()
      await studio.giveTo('box', way, file)
      await studio.page.waitForFunction((count) => document.querySelectorAll('.class-count')[2].textContent === `${count} pictures`, count)
    }
  })

  test('deletes one and many, and takes it back', async () => {
    const box = studio.card('box')
    const count = () => box.locator('.class-count').textContent()
    await box.locator('.gallery-list').focus()
    await studio.page.keyboard.press('Delete')
    await studio.page.getByText('Deleted a picture.').waitFor()
    assert.equal(await count(), '4 pictures')
    await studio.page.locator('#undo-do').click()
    await box.getByText('5 pictures').waitFor()
    await box.locator('.gallery-list').focus()
    await studio.page.keyboard.press('Control+a')
    await box.getByRole('button', { name: 'Delete' }).click()
    await box.getByText('0 pictures').waitFor()
    await studio.page.locator('#undo-do').click()
    await box.getByText('5 pictures').waitFor()
  })

  test('moves pictures to another class', async () => {
    const box = studio.card('box')
    await box.locator('.gallery-list').focus()
    await studio.page.keyboard.press('Space')
    await box.getByLabel('Move the selected pictures to').selectOption('bars')
    await studio.card('bars').getByText('1 picture', { exact: true }).waitFor()
    assert.equal(await box.locator('.class-count').textContent(), '4 pictures')
  })

  test('removes a class, and takes it back', async () => {
    const before = await studio.classes()
    await studio.card('bars').getByRole('button', { name: 'Remove this class' }).click()
    await studio.card('bars').waitFor({ state: 'detached' })
    await studio.page.locator('#undo-do').click()
    await studio.card('bars').waitFor()
    await studio.card('bars').getByText('1 picture', { exact: true }).waitFor()
    assert.deepEqual(await studio.classes(), before)
  })

  test('keeps all of it over a reload', async () => {
    const before = await studio.classes()
    await studio.reload()
    assert.deepEqual(await studio.classes(), before)
    await studio.card('ball').locator('.tile img[src^="blob:"]').first().waitFor()
    studio.assertQuiet()
  })
})

test('a picture dropped on no class is looked at; many become a class', async () => {
  const studio = await open()
  const [one] = files(1, RED)
  await studio.give('drop', one.name, one.mimeType, one.buffer)
  await studio.page.locator('#still').waitFor({ state: 'visible' })
  assert.deepEqual(await studio.classes(), [['Class 1', 0], ['Class 2', 0]])
  await studio.close()
})

test('a full store says so, and what was kept before is safe', async () => {
  const studio = new StudioPage(await newPage(browser))
  const devtools = await studio.context.newCDPSession(studio.page)
  const origin = new URL(server.url).origin
  // Before the first write: the browser remembers for a while how much room there is.
  await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 400_000 })
  await studio.page.goto(`${server.url}teach.html`)
  await studio.ready()
  await studio.add('Class 1', files(3, RED))
  const noise = png(256, 256, (x, y) => [(x * x * 7 + y * 131) % 256, (x * y * 31) % 256, (y * y * 11 + x * 71) % 256])
  const large = Array.from({ length: 20 }, (_, index) => ({ name: `${index}.png`, mimeType: 'image/png', buffer: noise }))
  await studio.card('Class 2').locator('input[type=file]').setInputFiles(large)
  assert.match(await studio.trouble(), /no more room.*safe/)
  const shown = await studio.classes()
  assert.deepEqual(shown[0], ['Class 1', 3])
  await studio.reload()
  assert.deepEqual(await studio.classes(), shown)
  await studio.close()
})

test('two tabs: the second stands aside, and may take over', async () => {
  const first = await open()
  const other = await first.context.newPage()
  await other.goto(`${server.url}teach.html`)
  await other.locator('#elsewhere').waitFor({ state: 'visible' })
  assert.ok(await other.locator('#studio').evaluate((studio) => studio.inert))
  await other.locator('#take-over').click()
  await other.locator('.class-card').first().waitFor()
  await first.page.locator('#elsewhere').waitFor({ state: 'visible' })
  assert.ok(await first.page.locator('#studio').evaluate((studio) => studio.inert))
  await first.close()
})

test('a camera that fails says so, and files go on', async () => {
  for (const [name, expected] of [
    ['NotAllowedError', /was refused/],
    ['NotFoundError', /No camera was found/],
    ['NotReadableError', /another program/],
  ]) {
    const studio = await open()
    await studio.page.evaluate((name) => {
      navigator.mediaDevices.getUserMedia = async () => {
        throw new DOMException('no', name)
      }
    }, name)
    await studio.page.locator('#camera').click()
    assert.match(await studio.trouble(), expected)
    await studio.add('Class 1', files(1, RED))
    await studio.close()
  }
})
