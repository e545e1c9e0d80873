import { byId } from './dom.js'

/**
 * Every way a file gets into the page: a picker, a drop anywhere, a paste.
 *
 * @param {(file: File) => void} onFile
 */
export function takeFiles(onFile) {
  picker('open', 'file', onFile)
  picker('open-model', 'model-file', onFile)
  drops(onFile)
  document.addEventListener('paste', (event) => {
    const file = event.clipboardData?.files[0]
    if (!file) return
    event.preventDefault()
    onFile(file)
  })
}

/**
 * Whether the file is to be read as a model, by its name: safetensors has no type of its own.
 *
 * @param {File} file
 */
export const isModel = (file) => /\.safetensors$/i.test(file.name)

/**
 * @param {string} buttonId
 * @param {string} inputId
 * @param {(file: File) => void} onFile
 */
function picker(buttonId, inputId, onFile) {
  const input = byId(inputId, HTMLInputElement)
  byId(buttonId, HTMLButtonElement).addEventListener('click', () => input.click())
  input.addEventListener('change', () => {
    const file = input.files?.[0]
    // The same file chosen again is a change too.
    input.value = ''
    if (file) onFile(file)
  })
}

/**
 * @param {(file: File) => void} onFile
 */
function drops(onFile) {
  /** Elements of the page the drag is over: it enters one before it leaves the other. */
  let depth = 0
  /** @param {number} to */
  const setDepth = (to) => {
    depth = to
    document.body.classList.toggle('dragging', depth > 0)
  }
  /** @param {DragEvent} event */
  const bringsFile = (event) => event.dataTransfer?.types.includes('Files') ?? false
  window.addEventListener('dragenter', (event) => bringsFile(event) && setDepth(depth + 1))
  window.addEventListener('dragleave', (event) => bringsFile(event) && setDepth(Math.max(0, depth - 1)))
  window.addEventListener('dragover', (event) => bringsFile(event) && event.preventDefault())
  window.addEventListener('drop', (event) => {
    setDepth(0)
    const file = event.dataTransfer?.files[0]
    if (!file) return
    event.preventDefault()
    onFile(file)
  })
}
