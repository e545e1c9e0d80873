/** Model files, good and bad: the page keeps what it had. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch } from './support/browser.js'
import { answerWith, ConvletPage, servePage } from './support/convlet-page.js'
import { COLOUR_TENSORS, colourModel, withHeader } from './support/models.js'
import { plainPng } from './support/pictures.js'

const MODEL = '/models/pets.safetensors'
const red = plainPng(8, 8, [220, 30, 40])

let browser, server, convlet

before(async () => {
  browser = await launch()
  server = await servePage(colourModel())
  convlet = await ConvletPage.open(browser, server.url)
  await convlet.answered()
})

after(async () => {
  await browser?.close()
  await server?.close()
})

const { 'dense/kernel': kernel, 'dense/bias': bias } = COLOUR_TENSORS
const withKernel = (values) => colourModel({ tensors: { ...COLOUR_TENSORS, 'dense/kernel': { ...kernel, values } } })

/** @param {string} from @param {string} to */
const replaced = (from, to) =>
  withHeader(colourModel(), (header) => {
    assert.ok(header.includes(from), header)
    return header.replace(from, () => to)
  })

/** @param {bigint} length */
const ofLength = (length) => {
  const file = colourModel()
  file.writeBigUInt64LE(length)
  return file
}

/** The colours' architecture with its input's shape and first layer replaced. */
const ofArchitecture = (side, channels, class_name, config) => {
  const input = { class_name: 'InputLayer', config: { batch_shape: [null, side, side, channels], name: 'input' } }
  const layers = [input, { class_name, config: { name: 'first', ...config } }]
  const architecture = JSON.stringify({ class_name: 'Sequential', config: { name: 'costly', layers } })
  return colourModel({ metadata: { architecture } })
}

const deep = (depth) => '['.repeat(depth) + ']'.repeat(depth)

/** What is wrong with a file, and what the page must say of it. @type {[string, Buffer, RegExp][]} */
const BAD_FILES = [
  ['empty', Buffer.alloc(0), /expected/],
  ['truncated', colourModel().subarray(0, -20), /truncated|expected|bytes/],
  ['HTML', Buffer.from('<!doctype html><html><body>Not found</body></html>'), /HTML|web page/i],
  ['random bytes', Buffer.from('GIF89a, which is no model file at all'), /expected/],
  ['another format', colourModel({ metadata: { format: 'pt' } }), /format/],
  ['another version', colourModel({ metadata: { version: '99' } }), /version/],
  ['another dtype', replaced('"F32"', '"I32"'), /I32|dtype/],
  ['longer than can be', ofLength(2n ** 64n - 1n), /header's length/],
  ['said to be longer than it is', ofLength(4_000_000n), /header of 4000000 bytes.*truncated/],
  ['of tensors that overlap', replaced('[36,48]', '[32,44]'), /dense\/bias.*start at 36, got 32: it overlaps/],
  ['of tensors with a gap', replaced('[36,48]', '[40,52]'), /dense\/bias.*start at 36, got 40: it leaves a gap/],
  ['of places beyond all numbers', replaced('[36,48]', '[36,18446744073709551616]'), /dense\/bias.*whole number/],
  ['of a shape beyond all numbers', replaced('[3,3]', '[4294967296,4294967297]'), /bytes of F32 \[4294967296, 4294967297\]|whole number/],
  ['of a tensor said twice', replaced('"dense/bias"', '"dense/kernel"'), /key "dense\/kernel" twice/],
  ['of metadata said twice', replaced('"version"', '"format"'), /key "format" twice/],
  ['of JSON without a floor', replaced('"F32"', deep(100_000)), /dense\/kernel.*expected a dtype/],
  ['of training without a floor', colourModel({ metadata: { training: deep(100_000) } }), /training.*recursion limit/],
  ['infinite', withKernel([-Infinity, 0, 0, 0, 10, 0, 0, 0, 10]), /finite numbers, got -inf at index 0/],
  ['one whose network takes hours', ofArchitecture(4096, 3, 'Conv2D', { filters: 3, kernel_size: 255, padding: 'same' }), /68719476736 multiplications/],
  ['one whose network takes gigabytes', ofArchitecture(4096, 4096, 'GlobalAveragePooling2D', {}), /268435456 activations/],
  ['one whose sizes wrap around', ofArchitecture(8, 3, 'MaxPooling2D', { pool_size: 65536, padding: 'same' }), /at most 255 places/],
  ['a wrong shape', colourModel({ tensors: { ...COLOUR_TENSORS, 'dense/bias': { shape: [2], values: [0, 0] } } }), /shape|\(?3\)?/],
  ['a missing tensor', colourModel({ tensors: { 'dense/kernel': kernel } }), /dense\/bias/],
  ['an extra tensor', colourModel({ tensors: { ...COLOUR_TENSORS, 'other/bias': bias } }), /other\/bias/],
  ['a weight that is no number', withKernel([NaN, 0, 0, 0, 10, 0, 0, 0, 10]), /finite/],
  ['too few labels', colourModel({ labels: ['red'] }), /label/],
]

for (const [trouble, file, expected] of BAD_FILES)
  test(`a file that is ${trouble}: refused by name, and the network at hand goes on`, async () => {
    await convlet.chooseModel('mine.safetensors', file)
    const message = await convlet.trouble()
    assert.match(message, /mine\.safetensors/)
    assert.match(message, expected)
    assert.equal(await convlet.answerTo(() => convlet.choose('red.png', 'image/png', red)), 'red')
  })

test('a good file takes over, and the picture is classified anew', async () => {
  await convlet.answerTo(() => convlet.choose('red.png', 'image/png', red))
  const model = colourModel({ labels: ['rouge', 'vert', 'bleu'] })
  const answer = await convlet.answerTo(() => convlet.give('drop', 'mine.safetensors', '', model))
  assert.equal(answer, 'rouge')
  assert.equal(await convlet.page.locator('#question').textContent(), 'Rouge, vert or bleu?')
  assert.match(await convlet.page.locator('#facts').textContent(), /mine\.safetensors.*12/)
  assert.match(await convlet.page.locator('#summary').textContent(), /global|GlobalAveragePooling2D/)
})

test('a label is text, whatever is in it', async () => {
  const label = '<img src=x onerror=alert(1)>'
  const model = colourModel({ labels: [label, 'b', 'c'] })
  assert.equal(await convlet.answerTo(() => convlet.chooseModel('html.safetensors', model)), label)
  assert.equal(await convlet.page.locator('.verdict img').count(), 0)
})

test('says nothing on the console', () => convlet.assertQuiet())

/** How a server can fail, and what the page must say of it. */
const BAD_SERVERS = {
  'is not there': [(_request, response) => response.writeHead(404).end(), /pets\.safetensors.*404/],
  'is an HTML page': [answerWith('<!doctype html>', { 'content-type': 'text/html' }), /pets\.safetensors.*HTML/],
  'breaks off': [
    (_request, response) => {
      response.writeHead(200, { 'content-length': 1000 }).write(Buffer.alloc(100))
      setTimeout(() => response.destroy(), 50)
    },
    /pets\.safetensors: could not be fetched/,
  ],
}

for (const [trouble, [answer, expected]] of Object.entries(BAD_SERVERS))
  test(`a model that ${trouble}: the page says so, and takes another`, async () => {
    const bad = await servePage()
    bad.answers[MODEL] = answer
    const other = await ConvletPage.open(browser, bad.url)
    assert.match(await other.trouble(), expected)
    assert.equal(await other.page.locator('#loading').isVisible(), false)
    await other.answerTo(() => other.chooseModel('mine.safetensors', colourModel()))
    assert.equal(await other.answerTo(() => other.choose('red.png', 'image/png', red)), 'red')
    await other.close()
    await bad.close()
  })

test('a slow download shows how far it is, byte by byte', async () => {
  const model = colourModel()
  const half = model.length >> 1
  /** @type {() => void} */
  let send = () => {}
  const slow = await servePage()
  slow.answers[MODEL] = (_request, response) => {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': model.length }
    response.writeHead(200, headers).write(model.subarray(0, half))
    send = () => response.end(model.subarray(half))
  }
  const other = await ConvletPage.open(browser, slow.url)
  const bar = other.page.locator('#loading-bar')
  await other.page.waitForFunction(() => document.querySelector('#loading-bar').value > 0)
  assert.equal(await bar.evaluate((bar) => bar.value), half / model.length)
  send()
  await other.answered()
  assert.equal(await other.page.locator('#loading').isVisible(), false)
  await other.close()
  await slow.close()
})
