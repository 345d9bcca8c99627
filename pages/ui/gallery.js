// Pictures with their marks. Everything that comes from data enters as text (textContent, alt), never as markup.

const make = (tag, className, text) => {
  const node = document.createElement(tag)
  if (className) node.className = className
  if (text !== undefined) node.textContent = text
  return node
}

// ✓ and ✗ are drawn, because few fonts have both in one weight.
function mark(right, className) {
  const space = "http://www.w3.org/2000/svg"
  const drawing = document.createElementNS(space, "svg")
  drawing.setAttribute("viewBox", "0 0 12 12")
  drawing.setAttribute("class", className)
  drawing.setAttribute("aria-hidden", "true")
  const path = document.createElementNS(space, "path")
  path.setAttribute("d", right ? "M2.2 6.4 4.9 9 9.8 3.2" : "M3 3 9 9M9 3 3 9")
  drawing.append(path)
  return drawing
}

const signed = value => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(3)

// Its content names a button: what can be seen is part of what can be said to it.
function tile(item, compact, named, chosen, pick) {
  const button = make("button", `tile ${item.right ? "right" : "wrong"}`)
  button.type = "button"
  button.dataset.id = item.id
  button.setAttribute("aria-pressed", String(item.id === chosen))
  const verdict = item.right ? "correct" : `predicted as ${item.said}`
  const margin = `margin ${signed(item.margin)}`
  button.title = `${item.truth} · ${verdict} · ${margin}`
  const frame = make("span", "frame")
  const picture = make("img")
  picture.alt = compact ? `${item.truth}, ${verdict}, ${margin}` : named ? "" : item.truth
  picture.loading = "lazy"
  picture.decoding = "async"
  picture.width = picture.height = 128
  picture.onerror = () => button.classList.add("gone")
  picture.src = item.src
  frame.append(picture, mark(item.right, "mark"))
  button.append(frame)
  if (!compact) {
    const words = make("span", "words")
    if (named) words.append(make("span", "truth", item.truth))
    const said = make("span", "said")
    said.append(mark(item.right, "tick"))
    if (!item.right) said.append(make("span", "unseen", "predicted as "))
    said.append(item.right ? "correct" : item.said)
    words.append(said, make("span", "margin", margin))
    button.append(words)
  }
  button.onclick = () => pick(item.id)
  return button
}

function group(data, entry, pick, open) {
  const section = make("section", "group")
  const compact = data.layout === "cards"
  if (entry.title) {
    const header = make("header")
    const title = make("button", "title", entry.title)
    title.type = "button"
    title.title = "Look at this concept"
    title.onclick = () => open(entry.key)
    header.append(title, make("span", "note", entry.note))
    if (entry.accuracy !== null && entry.accuracy !== undefined) {
      const rate = make("span", "rate")
      const bar = make("span", "bar")
      const fill = make("i")
      fill.style.width = `${100 * entry.accuracy}%`
      const range = make("b")
      range.style.left = `${100 * entry.low}%`
      range.style.width = `${100 * (entry.high - entry.low)}%`
      bar.append(fill, range)
      rate.append(bar, make("span", "", entry.rate))
      header.append(rate)
    }
    section.append(header)
  }
  const tiles = make("div", "tiles")
  tiles.append(...entry.items.map(item => tile(item, compact, !entry.title, data.chosen, pick)))
  section.append(tiles)
  return section
}

// One tab stop for all pictures; arrows move between them in reading order and by row.
function rove(root) {
  const tiles = [...root.querySelectorAll(".tile")]
  if (!tiles.length) return
  const start = tiles.find(node => node.getAttribute("aria-pressed") === "true") ?? tiles[0]
  for (const node of tiles) node.tabIndex = node === start ? 0 : -1
  const go = (from, to) => {
    if (!to) return
    from.tabIndex = -1
    to.tabIndex = 0
    to.focus()
  }
  const vertical = (from, direction) => {
    const here = from.getBoundingClientRect()
    const beyond = tiles.filter(node => direction * (node.getBoundingClientRect().top - here.top) > 4)
    const score = node => {
      const box = node.getBoundingClientRect()
      return Math.abs(box.top - here.top) * 1000 + Math.abs(box.left - here.left)
    }
    return beyond.sort((a, b) => score(a) - score(b))[0]
  }
  root.onkeydown = event => {
    const at = tiles.indexOf(event.target.closest(".tile"))
    if (at < 0) return
    const targets = {
      ArrowRight: () => tiles[at + 1],
      ArrowLeft: () => tiles[at - 1],
      ArrowDown: () => vertical(tiles[at], 1),
      ArrowUp: () => vertical(tiles[at], -1),
      Home: () => tiles[0],
      End: () => tiles[tiles.length - 1],
    }
    if (!(event.key in targets)) return
    event.preventDefault()
    go(tiles[at], targets[event.key]())
  }
}

// A dialog that closes leaves the focus nowhere; it belongs back on the picture that opened it.
function refocus(root, id) {
  if (document.querySelector("[role=dialog]")) requestAnimationFrame(() => refocus(root, id))
  else {
    for (const node of root.querySelectorAll(".tile")) {
      node.tabIndex = node.dataset.id === id ? 0 : -1
      if (node.dataset.id === id) node.focus()
    }
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".gallery")
  const shown = JSON.stringify(data)
  if (root.dataset.shown === shown) return
  root.dataset.shown = shown
  const focused = parentElement.activeElement?.dataset?.id
  root.className = `gallery ${data.layout} ${data.pixels ? "pixels" : ""}`
  const pick = id => setTriggerValue("picked", id)
  const open = key => setTriggerValue("opened", key)
  root.replaceChildren(...data.groups.map(entry => group(data, entry, pick, open)))
  if (!data.groups.length) root.replaceChildren(make("p", "empty", data.empty))
  rove(root)
  if (focused !== undefined) {
    [...root.querySelectorAll(".tile")].find(node => node.dataset.id === focused)?.focus()
  }
  if (data.focus) refocus(root, data.focus)
}
