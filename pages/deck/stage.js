// The exported page in a frame of its own: scripts may run there by its own policy, and it cannot reach this page.
const KEYS = ["ArrowRight", "ArrowLeft", "PageDown", "PageUp", "Home", "End", "Escape", "s", "S"]

export default function ({ data, parentElement }) {
  const stage = parentElement.querySelector(".stage")
  const send = key => (stage.waiting ? stage.waiting.push(key) : stage.frame.contentWindow.postMessage({ key }, "*"))
  if (stage.page !== data.page) {
    stage.page = data.page
    stage.waiting = [] // keys pressed before the page has loaded
    stage.frame?.remove()
    const frame = (stage.frame = document.createElement("iframe"))
    frame.title = "Deck"
    frame.setAttribute("sandbox", "allow-scripts")
    frame.allow = "fullscreen"
    frame.onload = () => {
      const pressed = stage.waiting
      stage.waiting = null
      pressed.forEach(send)
    }
    frame.srcdoc = data.page
    stage.append(frame)
  }
  // Keys go to the frame wherever the focus is, unless somebody types.
  const pass = event => {
    const typing = event.composedPath()[0]?.closest?.("input, textarea, select, [contenteditable], [role=dialog]")
    if (event.ctrlKey || event.metaKey || event.altKey || typing || !KEYS.includes(event.key)) return
    send(event.key)
    event.preventDefault()
    event.stopPropagation()
  }
  document.addEventListener("keydown", pass, true)
  return () => document.removeEventListener("keydown", pass, true)
}
