/** What was measured, as rows of text: for the page, the terminal and the README. */

const digits = (value) => (value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3)
const number = (value) => value.toFixed(digits(value)).replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ',')
const milliseconds = (figure) => (figure ? `${number(figure.median)} ms` : '')
const kilobytes = (value) => (value ? `${number(value / 1000)} kB` : '')
const mebibytes = (value) => `${(value / 2 ** 20).toFixed(1)} MiB`
const times = (value) => `${value.toFixed(2)} x`

/** What the charts and the table show of each engine. */
export const MEASURES = {
  inference1: 'inference, batch 1',
  inference32: 'inference, batch 32, per image',
  training32: 'training step, batch 32',
  firstPrediction: 'first prediction, cold',
}

/** A row for each engine, the heading first. */
export function engineRows({ engines }) {
  const heading = ['engine', ...Object.values(MEASURES), 'download, gzip']
  const row = ([name, figures]) => [
    name,
    ...Object.keys(MEASURES).map((measure) => milliseconds(figures[measure])),
    kilobytes(figures.download),
  ]
  return [heading, ...Object.entries(engines).map(row)]
}

/** What Convlet has to reach, and what it does. */
export function targetRows({ engines, memory, trainingFlop, wasm }) {
  const { 'Convlet strict': strict, 'Convlet relaxed': relaxed, ConvNetJS: convnetjs } = engines
  const median = (name, measure) => engines[name][measure].median
  const peer = (measure) => Math.min(median('TensorFlow.js', measure), median('ONNX Runtime', measure))
  const best = (measure) => Math.min(strict[measure].median, relaxed[measure].median)
  const share = trainingFlop / 1e6 / strict.training32.median / strict.ceiling.median
  const rows = [
    ['inference, batch 1, best build, against the faster peer', times(peer('inference1') / best('inference1')), '1.8 x', '2.2 x'],
    ['inference, batch 32, best build, likewise', times(peer('inference32') / best('inference32')), '1.8 x', '2.2 x'],
    ['inference, batch 1, strict build', times(peer('inference1') / strict.inference1.median), '1.5 x', '1.8 x'],
    ['inference, batch 32, strict build', times(peer('inference32') / strict.inference32.median), '1.5 x', '1.8 x'],
    [`training step, strict, share of the ceiling of ${strict.ceiling.median.toFixed(1)} GFLOP/s`, share.toFixed(2), '0.65', '0.8'],
    ['training step, best build, against ConvNetJS', times(convnetjs.training32.median / best('training32')), '45 x', '60 x'],
    ['frame of 640 x 480, beyond the network itself, best build', milliseconds({ median: best('frameBeyond') }), '0.6 ms', '0.3 ms'],
    ['wasm memory, a frame classified', mebibytes(memory.inference1), '12 MiB', '8 MiB'],
    ['wasm memory, training at batch 32', mebibytes(memory.training32), '48 MiB', '32 MiB'],
    ['wasm that classifies, gzip, strict and relaxed', `${kilobytes(wasm.classifier)}, ${kilobytes(wasm.classifier_relaxed)}`, '120 kB', '80 kB'],
    ['wasm, whole, gzip, strict and relaxed', `${kilobytes(wasm.convlet)}, ${kilobytes(wasm.convlet_relaxed)}`, '120 kB', '80 kB'],
  ]
  return [['what', 'measured', 'target', 'stretch'], ...rows]
}

/** Rows as a Markdown table. */
export function markdown(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`
  return [line(rows[0]), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.slice(1).map(line)].join('\n')
}
