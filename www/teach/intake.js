/** Files on their way into the studio: by drop, paste or picker, alone, in folders or in a zip. */

/**
 * A file, and the folder it came in, if it came in one.
 *
 * @typedef {{ file: File, folder?: string }} Arrival
 */

/**
 * @typedef {object} IntakeEvents
 * @property {(arrivals: Arrival[], classId: number | undefined) => void} onFiles `classId`: the class they fell on
 */

const PICTURES = /\.(jpe?g|png|gif|webp|bmp|avif|svg)$/i

/** @param {{ name: string, type?: string }} file */
export const isPicture = ({ name, type }) => !name.startsWith('.') && (type?.startsWith('image/') || PICTURES.test(name))

/** @param {File} file */
export const isZip = (file) => /\.zip$/i.test(file.name) || file.type === 'application/zip'

/**
 * @param {IntakeEvents} events
 */
export function takeFiles({ onFiles }) {
  drops(onFiles)
  document.addEventListener('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])]
    if (!files.length) return
    event.preventDefault()
    onFiles(files.map((file) => ({ file })), classAt(document.activeElement))
  })
}

/**
 * The files of a folder picker, each with the folder right above it.
 *
 * @param {FileList | null} files
 * @returns {Arrival[]}
 */
export function fromPicker(files) {
  return [...(files ?? [])].map((file) => ({ file, folder: file.webkitRelativePath.split('/').at(-2) }))
}

/**
 * @param {IntakeEvents['onFiles']} onFiles
 */
function drops(onFiles) {
  /** @type {Element | null} */
  let over = null
  /** @param {Element | null} element */
  const setOver = (element) => {
    over?.classList.remove('drop-here')
    over = element
    over?.classList.add('drop-here')
  }
  window.addEventListener('dragover', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return
    event.preventDefault()
    const target = event.target instanceof Element ? event.target : null
    setOver(target?.closest('.class-card') ?? document.body)
  })
  window.addEventListener('dragleave', (event) => !event.relatedTarget && setOver(null))
  window.addEventListener('drop', async (event) => {
    setOver(null)
    if (!event.dataTransfer?.types.includes('Files')) return
    event.preventDefault()
    const classId = classAt(/** @type {Element} */ (event.target))
    // Entries are to be asked for before the first wait: the transfer is empty afterwards.
    const files = [...event.dataTransfer.files]
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.())
    const arrivals = entries.some((entry) => entry?.isDirectory)
      ? await fromEntries(entries)
      : files.map((file) => ({ file }))
    onFiles(arrivals, classId)
  })
}

/**
 * @param {Element | null} element
 */
function classAt(element) {
  const card = element?.closest('.class-card')
  return card instanceof HTMLElement ? Number(card.dataset.classId) : undefined
}

/**
 * @param {(FileSystemEntry | null | undefined)[]} entries
 * @param {string} [folder]
 * @returns {Promise<Arrival[]>}
 */
async function fromEntries(entries, folder) {
  /** @type {Arrival[]} */
  const arrivals = []
  for (const entry of entries) {
    if (entry?.isFile) {
      const file = await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject))
      arrivals.push({ file, folder })
    } else if (entry) arrivals.push(...(await fromEntries(await listing(/** @type {FileSystemDirectoryEntry} */ (entry)), entry.name)))
  }
  return arrivals
}

/**
 * All that is in a folder: it is handed out by the hundred.
 *
 * @param {FileSystemDirectoryEntry} directory
 */
async function listing(directory) {
  const reader = directory.createReader()
  /** @type {FileSystemEntry[]} */
  const all = []
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))
    if (!some.length) return all
    all.push(...some)
  }
}
