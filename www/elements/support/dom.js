/**
 * A new element with a class, which is also its part, and its content as text.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @param {...(Node | string)} content
 */
export function make(tag, className, ...content) {
  const element = document.createElement(tag)
  if (className) {
    element.className = className
    element.part.add(...className.split(' '))
  }
  element.append(...content)
  return element
}

/**
 * A new SVG element.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {{ [name: string]: string | number }} [attributes]
 * @param {...(Node | string)} content
 */
export function draw(tag, attributes = {}, ...content) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value))
  element.append(...content)
  return element
}

/**
 * A button.
 *
 * @param {string} text
 * @param {() => void} onClick
 * @param {string} [className]
 */
export function button(text, onClick, className = '') {
  const element = make('button', `button ${className}`.trim(), text)
  element.type = 'button'
  element.addEventListener('click', onClick)
  return element
}

/**
 * A choice of a few, with its label.
 *
 * @param {string} label
 * @param {string[]} options
 * @param {string} chosen
 * @param {(option: string) => void} onChoose
 */
export function choice(label, options, chosen, onChoose) {
  const select = make('select', 'select', ...options.map((text) => make('option', '', text)))
  select.value = chosen
  select.addEventListener('change', () => onChoose(select.value))
  return make('label', 'field', make('span', '', label), select)
}

/**
 * A slider with its label and its value in words.
 *
 * @param {string} label
 * @param {{ min: number, max: number, step: number, value: number }} range
 * @param {(value: number) => string} format
 * @param {(value: number) => void} onInput
 */
export function slider(label, { min, max, step, value }, format, onInput) {
  const input = make('input', 'slider')
  Object.assign(input, { type: 'range', min: String(min), max: String(max), step: String(step), value: String(value) })
  const output = make('span', 'slider-value')
  const tell = () => {
    output.textContent = format(input.valueAsNumber)
    input.ariaValueText = output.textContent
  }
  tell()
  input.addEventListener('input', () => {
    tell()
    onInput(input.valueAsNumber)
  })
  const element = make('label', 'field wide', make('span', 'field-head', make('span', '', label), output), input)
  /** @param {number} value */
  const set = (value) => {
    input.value = String(value)
    tell()
  }
  return { element, input, set }
}

/**
 * A frame for what may be wider than the page: it scrolls by itself, and by the keyboard.
 *
 * @param {string} label
 * @param {Node} content
 */
export function scrollable(label, content) {
  const frame = make('div', 'scroll', content)
  frame.role = 'region'
  frame.ariaLabel = label
  frame.tabIndex = 0
  return frame
}
