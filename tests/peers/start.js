/** What it costs to begin: bytes to download, and time to a first prediction. */

const ROUNDS = 5
/** What belongs to the comparison and not to an engine. */
const OURS = /\/peers\/(?!node_modules)|\/article\./

/** The paths that the server answered since it was last asked. */
const served = async () => (await fetch('served')).json()

/** Milliseconds from navigation to the first prediction, in a frame that nothing is cached for. */
function coldStart(engine) {
  const frame = document.createElement('iframe')
  frame.hidden = true
  return new Promise((resolve, reject) => {
    const settle = ({ data, source }) => {
      if (source !== frame.contentWindow) return
      removeEventListener('message', settle)
      frame.remove()
      data.error ? reject(new Error(`${engine}: ${data.error}`)) : resolve(data.milliseconds)
    }
    addEventListener('message', settle)
    frame.src = `cold.html?engine=${encodeURIComponent(engine)}`
    document.body.append(frame)
  })
}

/** Bytes of a file with gzip. */
export async function gzipLength(path) {
  const { body } = await fetch(path)
  return (await new Response(body.pipeThrough(new CompressionStream('gzip'))).arrayBuffer()).byteLength
}

/**
 * Fills in `download`, in bytes with gzip, and `firstPrediction`, in milliseconds.
 *
 * @param {{ [engine: string]: any }} engines
 * @param {(state: string) => void} tell
 */
export async function measureStart(engines, tell) {
  const names = Object.keys(engines)
  const times = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = 0; round < ROUNDS; round++)
    for (const name of names) {
      tell(`first prediction, round ${round + 1} of ${ROUNDS}: ${name}`)
      if (round === 0) await served()
      times[name].push(await coldStart(name))
      if (round > 0) continue
      const paths = (await served()).filter((path) => !OURS.test(path))
      const lengths = await Promise.all([...new Set(paths)].map(gzipLength))
      engines[name].download = lengths.reduce((sum, length) => sum + length, 0)
    }
  for (const name of names) {
    const sorted = times[name].sort((a, b) => a - b)
    engines[name].firstPrediction = { median: sorted[ROUNDS >> 1], fastest: sorted[0] }
  }
}
