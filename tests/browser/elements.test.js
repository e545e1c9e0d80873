/** The elements that explain: their numbers held to references computed here, their keys, their words. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch } from './support/browser.js'
import { openElements, serveElements } from './support/elements-page.js'
import { assertNothingGrows } from './support/holdings.js'
import { colourModel } from './support/models.js'

const HISTORY = {
  loss: [0.9, 0.5, 0.25],
  accuracy: [0.5, 0.75, 0.875],
  val_loss: [0.8, 0.6, 0.7],
  val_accuracy: [0.55, 0.71, 0.7],
}
const NAMES = [
  'convlet-comparison',
  'convlet-confusion',
  'convlet-convolution',
  'convlet-descent',
  'convlet-history',
  'convlet-network',
  'convlet-parameters',
  'convlet-pooling',
  'convlet-summary',
]

let browser, server

before(async () => {
  browser = await launch()
  server = await serveElements({
    '/colours.safetensors': colourModel({ metadata: { training: JSON.stringify({ history: HISTORY }) } }),
    '/silent.safetensors': colourModel(),
  })
})

after(async () => {
  await browser?.close()
  await server?.close()
})

const open = (options) => openElements(browser, server, NAMES, options)

/** Some numbers, with signs. */
const values = (size, seed) => Array.from({ length: size * size }, (_, i) => ((i * 7 + seed * 13) % 19) - 9)

/** Keras's geometry and arithmetic, written the long way round. */
function slide(size, input, window, stride, padding, result) {
  const out = padding === 'same' ? Math.ceil(size / stride) : Math.floor((size - window) / stride) + 1
  const total = padding === 'same' ? Math.max((out - 1) * stride + window - size, 0) : 0
  const before = Math.floor(total / 2)
  const output = []
  for (let y = 0; y < out; y++)
    for (let x = 0; x < out; x++) {
      const patch = []
      for (let i = 0; i < window; i++)
        for (let j = 0; j < window; j++) {
          const [row, column] = [y * stride - before + i, x * stride - before + j]
          const inside = row >= 0 && row < size && column >= 0 && column < size
          patch.push({ tap: i * window + j, value: inside ? input[row * size + column] : undefined })
        }
      output.push(result(patch))
    }
  return output
}

/** The element's output, and the step it shows. */
const shown = (page, id) =>
  page.locator(`#${id}`).evaluate((element) => ({
    output: element.output.flat(),
    cells: [...element.shadowRoot.querySelectorAll('.steps .cell')].map((cell) => Number(cell.textContent.replace('−', '-'))),
    sum: [...element.shadowRoot.querySelectorAll('.sum p')].map((line) => line.textContent),
    covered: element.shadowRoot.querySelectorAll('.editable .covered').length,
    position: element.position,
  }))

test('convolution is Keras’s, at every stride and padding', async () => {
  const { page, context, assertQuiet } = await open()
  for (const [size, side, stride, padding] of [[6, 3, 1, 'valid'], [6, 3, 2, 'valid'], [5, 3, 1, 'same'], [6, 3, 2, 'same'], [7, 2, 3, 'same'], [4, 4, 1, 'valid']]) {
    const [input, kernel] = [values(size, 1), values(side, 2)]
    await page.evaluate(
      ([input, kernel, stride, padding]) => {
        document.querySelector('#a')?.remove()
        add('convlet-convolution', { id: 'a', values: input.join(' '), kernel: kernel.join(' '), stride, padding })
      },
      [input, kernel, stride, padding],
    )
    const expected = slide(size, input, side, stride, padding, (patch) =>
      patch.reduce((sum, { tap, value = 0 }) => sum + value * kernel[tap], 0),
    )
    const { output, cells } = await shown(page, 'a')
    assert.deepEqual(output, expected, `${size} ${side} ${stride} ${padding}`)
    assert.deepEqual(cells, expected)
  }
  assertQuiet()
  await context.close()
})

test('pooling is Keras’s: padding is never the largest, nor part of a mean', async () => {
  const { page, context } = await open()
  for (const [size, side, stride, padding, mode] of [[6, 2, 2, 'valid', 'max'], [5, 2, 2, 'same', 'max'], [5, 3, 1, 'same', 'average'], [6, 3, 2, 'valid', 'average']]) {
    // All below zero: a zero of padding would show.
    const input = values(size, 3).map((value) => value - 20)
    await page.evaluate(
      ([input, side, stride, padding, mode]) => {
        document.querySelector('#a')?.remove()
        add('convlet-pooling', { id: 'a', values: input.join(' '), 'pool-size': side, stride, padding, mode })
      },
      [input, side, stride, padding, mode],
    )
    const expected = slide(size, input, side, stride, padding, (patch) => {
      const inside = patch.filter(({ value }) => value !== undefined).map(({ value }) => value)
      return mode === 'max' ? Math.max(...inside) : inside.reduce((sum, value) => sum + value, 0) / inside.length
    })
    assert.deepEqual((await shown(page, 'a')).output, expected, `${size} ${side} ${stride} ${padding} ${mode}`)
  }
  await context.close()
})

test('a convolution is stepped by keys and buttons, with its arithmetic written out', async () => {
  const { page, context } = await open()
  await page.evaluate(() => add('convlet-convolution', { id: 'a', values: '1 2 3 4 5 6 7 8 9', kernel: '1 0 0 -1', stride: '1' }))
  const first = await shown(page, 'a')
  assert.deepEqual(first.sum, ['1 × 1 + 2 × 0', '+ 4 × 0 + 5 × −1', '= −4'])
  assert.equal(first.covered, 4)
  // One stop for the input, one for the kernel, then the output.
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  await page.keyboard.press('ArrowRight')
  assert.deepEqual((await shown(page, 'a')).sum, ['2 × 1 + 3 × 0', '+ 5 × 0 + 6 × −1', '= −4'])
  await page.keyboard.press('ArrowDown')
  const { sum, position } = await shown(page, 'a')
  assert.deepEqual([position, sum[0]], [3, '5 × 1 + 6 × 0'])
  // At the rim there is nowhere to go.
  await page.keyboard.press('ArrowDown')
  assert.equal((await shown(page, 'a')).position, 3)
  assert.deepEqual(await page.evaluate(() => told('a', 'step')), { row: 1, column: 1, value: -4 })
  await page.locator('#a button.step').click()
  assert.equal((await shown(page, 'a')).position, 0)
  const spoken = page.locator('#a [aria-live=polite]')
  assert.equal(await spoken.textContent(), 'Row 1, column 1: −4')
  // Editing: input and kernel.
  await page.locator('#a').getByLabel('Input, row 1, column 1').fill('-2,5')
  await page.locator('#a').getByLabel('Kernel, row 2, column 2').fill('2')
  assert.deepEqual((await shown(page, 'a')).sum, ['−2.5 × 1 + 2 × 0', '+ 4 × 0 + 5 × 2', '= 7.5'])
  // What is no number is marked, and gives way to the last that was.
  const cell = page.locator('#a').getByLabel('Kernel, row 2, column 2')
  await cell.fill('abc')
  assert.equal(await cell.getAttribute('aria-invalid'), 'true')
  await cell.blur()
  assert.deepEqual([await cell.inputValue(), await cell.getAttribute('aria-invalid')], ['2', 'false'])
  assert.equal((await shown(page, 'a')).sum[2], '= 7.5')
  await page.locator('#a').getByLabel('Choose a kernel').selectOption('blur')
  assert.equal((await shown(page, 'a')).output.length, 1)
  await context.close()
})

test('play steps by itself until paused, and is not offered to who wants stillness', async () => {
  const { page, context } = await open({ reducedMotion: 'no-preference' })
  await page.evaluate(() => add('convlet-pooling', { id: 'a' }))
  await page.locator('#a button.play').click()
  await page.evaluate(() => told('a', 'step', 2))
  await page.locator('#a button.play').click()
  const { position } = await shown(page, 'a')
  await page.waitForTimeout(1200)
  assert.equal((await shown(page, 'a')).position, position)
  // A removed one plays no more.
  await page.locator('#a button.play').click()
  const steps = await page.evaluate(async () => {
    document.querySelector('#a').remove()
    const before = events.a.length
    await new Promise((resolve) => setTimeout(resolve, 1200))
    return events.a.length - before
  })
  assert.equal(steps, 0)
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await page.evaluate(() => add('convlet-pooling', { id: 'still' }))
  assert.equal(await page.locator('#still button.play').isVisible(), false)
  await context.close()
})

test('the tiny network computes what it writes, and its knobs turn by key and by drag', async () => {
  const { page, context } = await open()
  await page.evaluate(() => add('convlet-network', { id: 'a', activation: 'tanh' }))
  const state = () =>
    page.locator('#a').evaluate(({ inputs, first, firstBias, second, secondBias, shadowRoot }) => ({
      ...{ inputs, first, firstBias, second, secondBias },
      last: shadowRoot.querySelector('.sum .last').textContent,
    }))
  const expected = ({ inputs, first, firstBias, second, secondBias }) => {
    const hidden = first.map(([a, b], unit) => Math.tanh(a * inputs[0] + b * inputs[1] + firstBias[unit]))
    return 1 / (1 + Math.exp(-hidden.reduce((sum, value, unit) => sum + value * second[unit], secondBias)))
  }
  const check = async () => {
    const now = await state()
    const value = expected(now)
    assert.ok(now.last.endsWith(`= ${value.toFixed(2)}`), `${now.last}, ${value}`)
    return now
  }
  const before = await check()
  const knob = page.locator('#a').getByRole('slider', { name: 'weight from input 1 to hidden 2' })
  await knob.focus()
  await page.keyboard.press('ArrowUp')
  assert.equal((await check()).first[1][0], Math.round((before.first[1][0] + 0.1) * 10) / 10)
  await page.keyboard.press('End')
  assert.equal((await check()).first[1][0], 3)
  assert.equal(await knob.getAttribute('aria-valuenow'), '3')
  const bias = await page.locator('#a').getByRole('slider', { name: 'bias of the output' }).boundingBox()
  await page.mouse.move(bias.x + bias.width / 2, bias.y + bias.height / 2)
  await page.mouse.down()
  await page.mouse.move(bias.x + bias.width / 2, bias.y + bias.height / 2 - 40)
  await page.mouse.up()
  assert.ok(Math.abs((await check()).secondBias - (before.secondBias + 1)) < 1e-9)
  // The map takes a pair of inputs.
  const map = await page.locator('#a [part=map]').boundingBox()
  await page.mouse.click(map.x + map.width * 0.75, map.y + map.height * 0.4)
  assert.deepEqual((await check()).inputs, [0.5, 0.2])
  await context.close()
})

test('a step of descent follows the slope of the loss', async () => {
  const { page, context } = await open()
  const [slopes, before, after] = await page.evaluate(async () => {
    const { lossAt, slopeAt } = await import('./elements/convlet-descent.js')
    const element = add('convlet-descent', { id: 'a', weight: '-1', rate: '2' })
    element.shadowRoot.querySelector('button.step').click()
    const h = 1e-5
    const slopes = [-2, -0.5, 0, 1, 4].map((w) => [slopeAt(w), (lossAt(w + h) - lossAt(w - h)) / (2 * h)])
    return [slopes, -1 - 2 * slopeAt(-1), element.weight]
  })
  for (const [slope, difference] of slopes) assert.ok(Math.abs(slope - difference) < 1e-8, `${slope}, ${difference}`)
  assert.equal(after, before)
  // It settles where the slope is none; too high a rate never does.
  const [settled, wild] = await page.evaluate(async () => {
    const { slopeAt } = await import('./elements/convlet-descent.js')
    return [2, 12].map((rate) => {
      const element = add('convlet-descent', { weight: '-1', rate })
      for (let i = 0; i < 200; i++) element.step()
      return Math.abs(slopeAt(element.weight))
    })
  })
  assert.ok(settled < 1e-9, `${settled}`)
  assert.ok(wild > 0.01, `${wild}`)
  // A weight that leaves the chart is told as it is.
  const text = await page.evaluate(() => {
    const element = add('convlet-descent', { weight: '-1.5', rate: '12' })
    element.shadowRoot.querySelector('button.step').click()
    return `${element.weight.toFixed(2)} ${element.shadowRoot.textContent}`
  })
  assert.match(text, /^8\.44 .*Weight8\.44.*off the chart/s)
  await context.close()
})

test('parameters are counted live', async () => {
  const { page, context } = await open()
  const counts = await page.evaluate(() => {
    const element = add('convlet-parameters', { id: 'a', side: '64', units: '32', kernel: '3' })
    const before = element.counts
    const [side] = element.shadowRoot.querySelectorAll('input')
    side.value = '128'
    side.dispatchEvent(new Event('input'))
    return [before, element.counts]
  })
  assert.deepEqual(counts[0], { dense: 64 * 64 * 3 * 32 + 32, convolution: 896 })
  assert.deepEqual(counts[1], { dense: 128 * 128 * 3 * 32 + 32, convolution: 896 })
  const words = () => page.locator('#a').evaluate(({ shadowRoot }) => shadowRoot.textContent)
  assert.match(await words(), /1,572,896 parameters.*dense layer has 1,755 times as many as the convolution/s)
  await page.evaluate(() => add('convlet-parameters', { id: 'a', side: '8', units: '32', kernel: '11' }))
  assert.match(await page.locator('#a').last().evaluate(({ shadowRoot }) => shadowRoot.textContent), /convolution has 1\.9 times as many as the dense layer/)
  await context.close()
})

test('history, summary and comparison tell what the model file tells', async () => {
  const { page, context, assertQuiet } = await open()
  const loaded = await page.evaluate(async () => {
    add('convlet-history', { id: 'h', src: 'colours.safetensors' })
    add('convlet-summary', { id: 's', src: 'colours.safetensors' })
    add('convlet-comparison', { id: 'c', src: 'colours.safetensors silent.safetensors' })
    return [await told('h', 'load'), await told('s', 'load'), (await told('c', 'load')) ?? null]
  })
  assert.deepEqual(loaded[0], HISTORY)
  assert.deepEqual(loaded[1].map(({ className, parameters }) => [className, parameters]), [['GlobalAveragePooling2D', 0], ['Dense', 12]])
  const text = (id) => page.locator(`#${id}`).evaluate(({ shadowRoot }) => shadowRoot.textContent)
  assert.match(await text('s'), /\(3 inputs \+ 1 bias\) × 3.*Sum12.*counts 12 as well/)
  const rows = await page.locator('#c tbody tr').evaluateAll((rows) => rows.map((row) => row.textContent))
  assert.match(rows[0], /^colours8 × 8212.*71.0%/)
  assert.match(rows[1], /^silent8 × 8212–/)
  await page.locator('#h').getByRole('slider', { name: 'Epoch' }).fill('2')
  assert.match(await text('h'), /Epoch 2: training accuracy 0.7500, validation accuracy 0.7100/)
  await page.locator('#h').getByLabel('Shown').selectOption('loss')
  assert.match(await text('h'), /Epoch 2: training loss 0.5000, validation loss 0.6000/)
  await page.locator('#h button.play').click()
  await page.locator('#h').getByText('Epoch 3: training loss 0.2500').waitFor()
  await page.evaluate(() => add('convlet-history', { id: 'none', src: 'silent.safetensors' }))
  await page.locator('#none').getByText('tells nothing of its training').waitFor()
  assertQuiet()
  await context.close()
})

test('a confusion matrix adds up', async () => {
  const { page, context } = await open()
  await page.evaluate(() => add('convlet-confusion', { id: 'a', labels: 'cat dog', counts: '999 251 156 1094' }))
  const text = await page.locator('#a').evaluate(({ shadowRoot }) => shadowRoot.textContent)
  assert.match(text, /99979.9%.*25120.1%.*15612.5%.*1,09487.5%.*2,093 of 2,500 right: 83.7%/)
  await context.close()
})

test('attached and removed 200 times in turn, none of them leaves anything behind', async () => {
  const { page, context } = await open()
  // The engine, which most of them are too short-lived to wait for, is there from the start.
  await page.evaluate(async () => {
    const element = add('convlet-summary', { id: 'first', src: 'colours.safetensors' })
    await told('first', 'load')
    element.remove()
  })
  const cycle = (times) =>
    page.evaluate(
      async ([names, times]) => {
        for (let i = 0; i < times; i++) {
          const name = names[i % names.length]
          const element = add(name, { id: 'a', src: 'colours.safetensors', labels: 'a b', counts: '1 2 3 4' })
          if (i % 20 < names.length) await new Promise((resolve) => setTimeout(resolve))
          element.shadowRoot.querySelector('.play')?.click()
          element.remove()
        }
      },
      [NAMES, times],
    )
  await assertNothingGrows(page, cycle, { first: 20, heap: 300_000 })
  await context.close()
})
