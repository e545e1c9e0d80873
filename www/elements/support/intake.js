/**
 * Every way a picture gets into an element: a picker, a drop onto it, a paste while the focus is in it.
 *
 * @param {HTMLElement} element
 * @param {HTMLInputElement} input the picker
 * @param {AbortSignal} signal
 * @param {(files: File[]) => void} onFiles
 */
export function takeFiles(element, input, signal, onFiles) {
  input.addEventListener(
    'change',
    () => {
      const files = [...(input.files ?? [])]
      // The same file chosen again is a change too.
      input.value = ''
      if (files.length > 0) onFiles(files)
    },
    { signal },
  )
  /** @param {DragEvent} event */
  const bringsFile = (event) => event.dataTransfer?.types.includes('Files') ?? false
  const over = (/** @type {boolean} */ over) => element.toggleAttribute('data-over', over)
  element.addEventListener(
    'dragover',
    (event) => {
      if (!bringsFile(event)) return
      event.preventDefault()
      over(true)
    },
    { signal },
  )
  element.addEventListener('dragleave', () => over(false), { signal })
  element.addEventListener(
    'drop',
    (event) => {
      over(false)
      const files = [...(event.dataTransfer?.files ?? [])]
      if (files.length === 0) return
      event.preventDefault()
      event.stopPropagation()
      onFiles(files)
    },
    { signal },
  )
  element.addEventListener(
    'paste',
    (event) => {
      const files = [...(event.clipboardData?.files ?? [])]
      if (files.length === 0) return
      event.preventDefault()
      event.stopPropagation()
      onFiles(files)
    },
    { signal },
  )
}
