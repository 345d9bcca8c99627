// One step of the browser's history for each thing a person does. Streamlit replaces the present step when a widget
// writes itself into the address, and adds up to three for one change of page; Back then leaves the page, or seems dead.
if (!window.tailscopeHistory) {
  window.tailscopeHistory = true
  const push = history.pushState.bind(history)
  const replace = history.replaceState.bind(history)
  let acted = false
  let typing = null
  const act = event => {
    const same = event.type === "keydown" && event.key !== "Enter" && event.target === typing
    typing = event.type === "keydown" ? event.target : null
    acted ||= !same // what is typed into one box is one change
  }
  addEventListener("pointerdown", act, true)
  addEventListener("keydown", act, true)
  addEventListener("popstate", () => { acted = false }, true)
  const write = (state, title, url) => {
    const moved = new URL(url ?? "", location.href).href !== location.href
    const step = acted && moved ? push : replace
    if (moved) acted = false
    step(state, title, url)
  }
  history.pushState = write
  history.replaceState = write
}
