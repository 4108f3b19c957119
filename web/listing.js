'use strict'

/*
 * What a listing gains by a script: filter, order, view and arrow keys. Loaded in the head, so
 * that a remembered view is there before anything is drawn. Names come into the page as text
 * only, never as markup.
 */
const VIEW = 'fastify-media:view'
const VIEWS = ['grid', 'table']
/** Pixels. Smaller pictures are shown as they are, not blown up. */
const SMALL = 128
const { documentElement: root } = document

recallView()
// Capturing: what happens to pictures does not bubble. Where one cannot be shown, the icon of its kind is.
document.addEventListener('load', ({ target }) => { if (isThumbnail(target)) target.classList.add('loaded', target.naturalWidth < SMALL && target.naturalHeight < SMALL ? 'small' : 'large') }, true)
document.addEventListener('error', ({ target }) => { if (isThumbnail(target)) target.remove() }, true)
document.addEventListener('DOMContentLoaded', enhance)

function enhance () {
  const table = document.querySelector('#members')
  if (!table) return
  nameRoles(table)
  addOrder(table)
  const status = element('p', { className: 'spoken', role: 'status' })
  const tools = element('div', { className: 'tools', role: 'search' }, addFilter(table, status), addViews(), status)
  document.querySelector('.bar').append(tools)
  table.addEventListener('keydown', moveFocus)
}

function isThumbnail (target) {
  return target instanceof HTMLImageElement && target.closest('.icon') !== null
}

/** An element with properties and children, which are texts or elements. */
function element (name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...children)
  return made
}

/** Some browsers forget what a table is once it is drawn as anything else. */
function nameRoles (table) {
  const roles = { tbody: 'rowgroup', thead: 'rowgroup', tr: 'row', td: 'cell', 'thead th': 'columnheader', 'tbody th': 'rowheader' }
  table.setAttribute('role', 'table')
  for (const [selector, role] of Object.entries(roles)) {
    for (const part of table.querySelectorAll(selector)) part.setAttribute('role', role)
  }
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })
const nameOf = row => row.querySelector('bdi').textContent
const sizeOf = row => Number(row.querySelector('data')?.value ?? -1)
const dateOf = row => Date.parse(row.querySelector('time')?.dateTime ?? '') || 0
const orders = [
  (first, second) => collator.compare(nameOf(first), nameOf(second)),
  (first, second) => sizeOf(first) - sizeOf(second),
  (first, second) => dateOf(first) - dateOf(second)
]

/** Column heads become buttons that order the rows; folders stay above files. */
function addOrder (table) {
  const heads = [...table.tHead.rows[0].cells]
  heads.forEach((head, place) => {
    const button = element('button', { type: 'button', className: 'order' }, ...head.childNodes)
    head.append(button)
    button.addEventListener('click', () => {
      const descending = head.ariaSort === 'ascending'
      for (const other of heads) other.removeAttribute('aria-sort')
      head.setAttribute('aria-sort', descending ? 'descending' : 'ascending')
      for (const body of table.tBodies) body.append(...orderedRows(body, orders[place], descending ? -1 : 1))
    })
  })
}

function orderedRows (body, order, direction) {
  return [...body.rows].toSorted((first, second) => direction * order(first, second) || orders[0](first, second))
}

/** What is compared: without case or accents. */
function folded (text) {
  return text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase()
}

function addFilter (table, status) {
  const rows = [...table.querySelectorAll('tbody tr')]
  const names = rows.map(row => folded(nameOf(row)))
  const input = element('input', { type: 'search', placeholder: 'Filter', autocomplete: 'off', spellcheck: false })
  const nothing = element('p', { className: 'empty', hidden: true })
  input.setAttribute('aria-controls', table.id)
  input.setAttribute('aria-keyshortcuts', '/')
  table.after(nothing)

  input.addEventListener('input', () => {
    const words = folded(input.value).split(/\s+/)
    let shown = 0
    rows.forEach((row, place) => {
      row.hidden = !words.every(word => names[place].includes(word))
      if (!row.hidden) shown++
    })
    table.hidden = shown === 0
    nothing.hidden = shown > 0
    nothing.textContent = `No name here contains “${input.value.trim()}”.`
    status.textContent = `${shown} of ${rows.length} shown`
  })
  document.addEventListener('keydown', event => focusFilter(event, input))
  input.addEventListener('keydown', event => {
    if (event.key !== 'ArrowDown') return
    event.preventDefault()
    visibleLinks()[0]?.focus()
  })
  return element('label', { className: 'filter' }, element('span', { className: 'glyph search' }), element('span', { className: 'spoken' }, 'Filter by name'), input)
}

function focusFilter (event, input) {
  const isTyping = event.target instanceof HTMLInputElement
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || isTyping || document.querySelector('dialog[open]')) return
  event.preventDefault()
  input.focus()
  input.select()
}

function recallView () {
  try {
    const view = localStorage.getItem(VIEW)
    if (VIEWS.includes(view)) root.dataset.view = view
  } catch {
    // Storage may be forbidden; the server's choice stands.
  }
}

function addViews () {
  const buttons = VIEWS.map(view => {
    const button = element('button', { type: 'button', className: `glyph ${view}`, title: view === 'grid' ? 'Cards' : 'Table' }, element('span', {}, view === 'grid' ? 'Show as cards' : 'Show as a table'))
    button.addEventListener('click', () => choose(view))
    return button
  })
  const press = () => buttons.forEach((button, place) => button.setAttribute('aria-pressed', String(root.dataset.view === VIEWS[place])))
  const choose = view => {
    root.dataset.view = view
    press()
    try {
      localStorage.setItem(VIEW, view)
    } catch {
      // Storage may be forbidden or full; the view holds for this page.
    }
  }
  press()
  const group = element('div', { className: 'views', role: 'group' }, ...buttons)
  group.setAttribute('aria-label', 'View')
  return group
}

function visibleLinks () {
  return [...document.querySelectorAll('#members tbody tr:not([hidden]) a')]
}

/** Arrow keys go from member to member, as they are drawn; Home and End to the ends. */
function moveFocus (event) {
  const link = event.target.closest('tbody a')
  if (!link || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return
  const links = visibleLinks()
  const place = links.indexOf(link)
  const steps = { ArrowLeft: links[place - 1], ArrowRight: links[place + 1], ArrowUp: nearest(links, link, -1), ArrowDown: nearest(links, link, 1), Home: links[0], End: links.at(-1) }
  if (!(event.key in steps)) return
  event.preventDefault()
  steps[event.key]?.focus()
}

/** The link in the next line above (-1) or below (1) that is the nearest across. */
function nearest (links, from, direction) {
  const boxes = links.map(link => link.closest('tr').getBoundingClientRect())
  const start = boxes[links.indexOf(from)]
  const distance = box => direction * (box.top - start.top) * 10_000 + Math.abs(box.left - start.left)
  const ahead = links.map((link, place) => ({ link, far: distance(boxes[place]) })).filter((_, place) => direction * (boxes[place].top - start.top) > 1)
  return ahead.toSorted((first, second) => first.far - second.far)[0]?.link
}
