/*
 * Pictures, films and sounds in a dialog, from the links of a listing. Links stay links: with
 * a modifier key, or without this script, they open the file itself.
 */
const links = () => [...document.querySelectorAll('#members tr:not([hidden]) a[data-preview]')]

if (links().length > 0) addPreview()

function element (name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...children)
  return made
}

function glyph (name, className, label, properties = {}) {
  return element(name, { className: `glyph ${className}`, title: label, ...properties }, element('span', {}, label))
}

function addPreview () {
  const parts = {
    title: element('h2', { id: 'preview-title' }),
    facts: element('p'),
    stage: element('figure'),
    open: glyph('a', 'open', 'Open the file'),
    download: glyph('a', 'download', 'Download'),
    close: glyph('button', 'close', 'Close', { type: 'button', autofocus: true }),
    previous: glyph('button', 'turn previous', 'Previous', { type: 'button' }),
    next: glyph('button', 'turn next', 'Next', { type: 'button' })
  }
  const head = element('header', {}, element('hgroup', {}, parts.title, parts.facts), parts.open, parts.download, parts.close)
  const dialog = element('dialog', { className: 'preview' }, head, parts.stage)
  parts.stage.append(parts.previous, parts.next)
  dialog.setAttribute('aria-labelledby', parts.title.id)
  document.body.append(dialog)
  listen(dialog, parts)
}

function listen (dialog, parts) {
  let current
  const turnTo = link => {
    if (!link) return
    current = link
    show(link, parts)
  }
  const turn = step => turnTo(neighbour(current, step))

  document.querySelector('#members').addEventListener('click', event => {
    const link = event.target.closest('a[data-preview]')
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    turnTo(link)
    dialog.showModal()
  })
  parts.close.addEventListener('click', () => dialog.close())
  parts.previous.addEventListener('click', () => turn(-1))
  parts.next.addEventListener('click', () => turn(1))
  dialog.addEventListener('click', event => { if (event.target === parts.stage) dialog.close() })
  // On the document: at either end the button that had the focus is gone. A player takes the arrow keys to seek.
  document.addEventListener('keydown', event => {
    if (!dialog.open || event.target instanceof HTMLMediaElement) return
    if (event.key === 'ArrowLeft') turn(-1)
    if (event.key === 'ArrowRight') turn(1)
  })
  dialog.addEventListener('close', () => {
    // Taken away, so that a film stops and its connection ends.
    clear(parts.stage)
    current?.focus()
  })
}

function neighbour (link, step) {
  const all = links()
  return all[all.indexOf(link) + step]
}

function clear (stage) {
  const shown = stage.querySelector('img, video, audio, .failed')
  if (shown instanceof HTMLMediaElement) {
    shown.removeAttribute('src')
    shown.load()
  }
  shown?.remove()
}

function show (link, parts) {
  const facts = [link.closest('tr').querySelector('data')?.textContent]
  const tell = fact => {
    facts.push(fact)
    parts.facts.textContent = facts.filter(Boolean).join(' · ')
  }
  clear(parts.stage)
  parts.title.textContent = link.querySelector('bdi').textContent
  parts.open.href = link.href
  parts.download.href = `${link.href}?download`
  parts.previous.disabled = !neighbour(link, -1)
  parts.next.disabled = !neighbour(link, 1)
  parts.stage.prepend(medium(link, parts.stage, tell))
  tell()
}

const makers = {
  image: (link, tell) => {
    const image = element('img', { alt: link.querySelector('bdi').textContent })
    image.addEventListener('load', () => tell(`${image.naturalWidth} × ${image.naturalHeight}`))
    return image
  },
  video: (_link, tell) => {
    const video = element('video', { controls: true, preload: 'metadata', playsInline: true })
    video.addEventListener('loadedmetadata', () => tell(`${video.videoWidth} × ${video.videoHeight} · ${clock(video.duration)}`))
    return video
  },
  audio: (_link, tell) => {
    const audio = element('audio', { controls: true, preload: 'metadata' })
    audio.addEventListener('loadedmetadata', () => tell(clock(audio.duration)))
    return audio
  }
}

function medium (link, stage, tell) {
  const made = makers[link.dataset.preview](link, tell)
  made.addEventListener('error', () => {
    if (made.parentNode === stage) made.replaceWith(element('p', { className: 'failed' }, 'This browser cannot show the file. It can still be opened or downloaded above.'))
  })
  made.src = link.href
  return made
}

function clock (seconds) {
  if (!Number.isFinite(seconds)) return ''
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}
