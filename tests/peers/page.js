/** The bench page. `run.js` presses the same button. */
import { runBench } from './bench.js'
import { barChart } from './chart.js'
import { engineRows, MEASURES, targetRows } from './report.js'
import { gzipLength, measureStart } from './start.js'

const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id))
const [run, copy] = [element('run'), element('copy')]
const tell = (state) => (element('state').textContent = state)

async function measure() {
  const machine = { ...(await (await fetch('machine.json')).json()), browser: navigator.userAgent }
  const result = { machine, ...(await runBench(tell)) }
  await measureStart(result.engines, tell)
  result.wasm = {}
  for (const file of ['classifier', 'classifier_relaxed', 'convlet', 'convlet_relaxed'])
    result.wasm[file] = await gzipLength(`../../www/pkg/${file}_bg.wasm`)
  return result
}

function tableOf([heading, ...rows]) {
  const table = document.createElement('table')
  const head = table.createTHead().insertRow()
  for (const text of heading) head.append(Object.assign(document.createElement('th'), { textContent: text, scope: 'col' }))
  const body = table.createTBody()
  for (const row of rows) {
    const line = body.insertRow()
    for (const text of row) line.insertCell().textContent = text
  }
  return table
}

function show(result) {
  const rows = engineRows(result)
  const charts = Object.entries(MEASURES).map(([measure, title], column) => {
    const bars = rows.slice(1).filter((row) => row[column + 1])
    return barChart(
      title,
      bars.map((row) => ({
        name: row[0],
        value: result.engines[row[0]][measure].median,
        label: row[column + 1],
        ours: row[0].startsWith('Convlet'),
      })),
    )
  })
  element('charts').replaceChildren(...charts)
  element('tables').replaceChildren(tableOf(rows), tableOf(targetRows(result)))
  const most = Math.max(...Object.values(result.differences))
  element('checked').textContent =
    `${result.machine.cpu}. Outputs differ by ${most.toExponential(1)} at most (${result.tolerance} is allowed).`
  element('result').hidden = false
}

let json = ''
run.addEventListener('click', async () => {
  run.toggleAttribute('disabled', true)
  try {
    const result = await measure()
    json = JSON.stringify(result, undefined, 2)
    show(result)
    tell('done')
    copy.toggleAttribute('disabled', false)
    globalThis.benchResult = result
  } catch (thrown) {
    tell(`failed: ${thrown instanceof Error ? thrown.message : thrown}`)
    globalThis.benchError = String(thrown instanceof Error ? thrown.stack : thrown)
  }
  run.toggleAttribute('disabled', false)
})
copy.addEventListener('click', async () => {
  await navigator.clipboard.writeText(json)
  tell('copied')
})
