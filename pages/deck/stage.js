// The exported page in a frame of its own: scripts may run there by its own policy, and it cannot reach this page.
export default function ({ data, parentElement }) {
  const stage = parentElement.querySelector(".stage")
  if (stage.dataset.length === String(data.page.length) && stage.page === data.page) return
  stage.page = data.page
  stage.dataset.length = String(data.page.length)
  stage.querySelector("iframe")?.remove()
  const frame = document.createElement("iframe")
  frame.title = "Deck"
  frame.setAttribute("sandbox", "allow-scripts")
  frame.allow = "fullscreen"
  frame.srcdoc = data.page
  frame.onload = () => frame.focus()
  stage.prepend(frame)
  stage.querySelector("button").onclick = () => {
    frame.requestFullscreen?.().then(() => frame.focus(), () => {})
  }
}
