/**
 * The comparison. All engines take turns within each round, so that what else the machine does meets them alike. The
 * page's clock ticks in tenths of a millisecond: a sample is as many calls as last MINIMUM.
 */
import * as convlet from './engines/convlet.js'
import * as convnetjs from './engines/convnetjs.js'
import * as onnxruntime from './engines/onnxruntime.js'
import * as tensorflow from './engines/tensorflow.js'
import { TRAINING_FLOP } from './network.js'

/** Milliseconds of a sample at least. */
const MINIMUM = 10
const ROUNDS = 40
/** ConvNetJS takes seconds for a step. */
const SLOW_ROUNDS = 2
const BATCH = 32
/** Outputs are probabilities, sums up to 6,272 long below them. */
const TOLERANCE = 1e-4
/** A camera's frame. */
const [WIDTH, HEIGHT] = [640, 480]

const bytes = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer())

async function ceiling(build) {
  const { instance } = await WebAssembly.instantiate(await bytes(`ceiling-${build}.wasm`))
  const { run, flop } = instance.exports
  const tiles = 1000
  return { run: () => run(tiles), flop: flop.value * tiles }
}

/** Milliseconds a call. */
async function sample({ run, calls }) {
  const began = performance.now()
  for (let call = 0; call < calls; call++) await run()
  return (performance.now() - began) / calls
}

/** Long enough for the browser's optimising compilers, then finds how many calls make a sample. */
async function warmUp(task) {
  task.calls = 1
  let fastest = await sample(task)
  const until = performance.now() + 500
  while (performance.now() < until) fastest = Math.min(fastest, await sample(task))
  task.calls = Math.max(1, Math.ceil(MINIMUM / Math.max(fastest, 0.05)))
}

const median = (values) => {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
}
const figures = (times) => ({ median: median(times), fastest: Math.min(...times), rounds: times.length })

/**
 * Every output of every engine beside the strict build's.
 *
 * @returns {Promise<{ [engine: string]: number }>} the largest differences
 */
async function checkOutputs(predictors) {
  const expected = await predictors['Convlet strict']()
  const differences = {}
  for (const [name, predict] of Object.entries(predictors)) {
    const outputs = await predict()
    if (outputs.length !== expected.length) throw new Error(`${name} gives ${outputs.length} outputs`)
    const difference = outputs.reduce((most, y, index) => Math.max(most, Math.abs(y - expected[index])), 0)
    if (!(difference <= TOLERANCE)) throw new Error(`${name} differs by ${difference}`)
    differences[name] = difference
  }
  return differences
}

/** The loss before a first step, of each engine that trains. */
async function checkLosses(trainers) {
  const losses = {}
  for (const [name, train] of Object.entries(trainers)) losses[name] = await train()
  for (const [name, loss] of Object.entries(losses))
    if (!(Math.abs(loss - losses['Convlet strict']) <= TOLERANCE)) throw new Error(`${name}: a loss of ${loss}`)
  return losses
}

/** Bytes of wasm memory, each in an instance of its own. */
async function measureMemory(model) {
  const used = async (use) => {
    const engine = await convlet.load('strict', model)
    use(engine)
    return engine.memory()
  }
  return {
    inference1: await used((engine) => (engine.classifier(WIDTH, HEIGHT)(), engine.predictor(1)())),
    inference32: await used((engine) => engine.predictor(BATCH)()),
    training32: await used((engine) => (engine.trainer(BATCH)(), engine.trainer(BATCH)())),
  }
}

/**
 * Runs it all.
 *
 * @param {(state: string) => void} tell
 */
export async function runBench(tell) {
  tell('loading the engines')
  const [model, onnx] = [await bytes('article.safetensors'), await bytes('article.onnx')]
  const memory = await measureMemory(model)
  const [strict, relaxed] = [await convlet.load('strict', model), await convlet.load('relaxed', model)]
  const slow = await convnetjs.load(model)
  const peers = { 'TensorFlow.js': await tensorflow.load(model), 'ONNX Runtime': await onnxruntime.load(onnx) }
  const engines = { 'Convlet strict': strict, 'Convlet relaxed': relaxed, ...peers }
  const trained = {
    'Convlet strict': await convlet.load('strict', model),
    'Convlet relaxed': await convlet.load('relaxed', model),
  }

  tell('comparing the outputs')
  const of = (engines, member, ...arguments_) =>
    Object.fromEntries(Object.entries(engines).map(([name, engine]) => [name, engine[member](...arguments_)]))
  const [one, many] = [of(engines, 'predictor', 1), of(engines, 'predictor', BATCH)]
  await checkOutputs(one)
  const differences = await checkOutputs({ ...many, ConvNetJS: slow.predictor(BATCH) })
  const [fastTrainers, slowTrainer] = [of(trained, 'trainer', BATCH), slow.trainer(BATCH)]
  const losses = await checkLosses({ ...fastTrainers, ConvNetJS: slowTrainer })
  const [frames, ceilings] = [of({ 'Convlet strict': strict, 'Convlet relaxed': relaxed }, 'classifier', WIDTH, HEIGHT), {
    'Convlet strict': await ceiling('strict'),
    'Convlet relaxed': await ceiling('relaxed'),
  }]

  const tasks = []
  const add = (measure, runs, scale = 1) => {
    for (const [name, run] of Object.entries(runs)) tasks.push({ measure, name, run, scale, times: [], calls: 1 })
  }
  add('inference1', one)
  add('frame', frames)
  add('inference32', many, 1 / BATCH)
  add('training32', fastTrainers)
  add('ceiling', Object.fromEntries(Object.entries(ceilings).map(([name, { run }]) => [name, run])))
  for (const task of tasks) {
    tell(`warming up: ${task.name}, ${task.measure}`)
    await warmUp(task)
  }
  for (let round = 0; round < ROUNDS; round++) {
    tell(`round ${round + 1} of ${ROUNDS}`)
    // Each goes first in its turn.
    for (let index = 0; index < tasks.length; index++) {
      const task = tasks[(index + round) % tasks.length]
      task.times.push((await sample(task)) * task.scale)
    }
  }
  const slowTask = { measure: 'training32', name: 'ConvNetJS', run: slowTrainer, times: [], calls: 1 }
  for (let round = 0; round < SLOW_ROUNDS; round++) {
    tell(`ConvNetJS, training step ${round + 1} of ${SLOW_ROUNDS}`)
    slowTask.times.push(await sample(slowTask))
  }

  const rows = {}
  for (const name of [...Object.keys(engines), 'ConvNetJS']) rows[name] = {}
  for (const { measure, name, times } of [...tasks, slowTask]) rows[name][measure] = figures(times)
  for (const [name, { flop }] of Object.entries(ceilings))
    rows[name].ceiling = { median: flop / rows[name].ceiling.median / 1e6, fastest: flop / rows[name].ceiling.fastest / 1e6 }
  for (const name of Object.keys(frames)) {
    const times = (measure) => tasks.find((task) => task.name === name && task.measure === measure).times
    const [whole, network] = [times('frame'), times('inference1')]
    rows[name].frameBeyond = figures(whole.map((time, round) => time - network[round]))
  }
  return { tolerance: TOLERANCE, differences, losses, memory, trainingFlop: TRAINING_FLOP * BATCH, engines: rows }
}
