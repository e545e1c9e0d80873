/**
 * Makes a button one that works for as long as it is held: by finger, mouse, Space or Enter.
 *
 * @param {HTMLButtonElement} button
 * @param {() => void} begin
 * @param {() => void} end may come without a beginning
 */
export function watchHold(button, begin, end) {
  button.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return
    button.setPointerCapture(event.pointerId)
    begin()
  })
  // A long press means holding here, nothing else.
  button.addEventListener('contextmenu', (event) => event.preventDefault())
  for (const name of ['pointerup', 'pointercancel', 'blur', 'keyup']) button.addEventListener(name, end)
  button.addEventListener('keydown', (event) => {
    if (event.key !== ' ' && event.key !== 'Enter') return
    event.preventDefault()
    if (!event.repeat) begin()
  })
}
