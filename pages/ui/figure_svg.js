// A button that saves its figure as SVG: Plotly draws it in the browser, so nothing is needed on the server. The figure
// is the last one before the button that looks like it.

export default function ({ data, parentElement }) {
  const button = parentElement.querySelector("button")
  button.onclick = () => {
    const host = parentElement.host ?? parentElement
    const before = [...document.querySelectorAll(".js-plotly-plot")].filter(
      plot =>
        plot.compareDocumentPosition(host) & Node.DOCUMENT_POSITION_FOLLOWING &&
        plot.data.length === data.traces &&
        (plot.layout.xaxis?.title?.text ?? "") === data.x,
    )
    const plot = before.at(-1)
    const camera = plot?.querySelector(".modebar-btn[data-title*='Download plot']")
    if (!camera) return
    const options = plot._context.toImageButtonOptions
    plot._context.toImageButtonOptions = { ...options, format: "svg", filename: data.name }
    camera.click()
    plot._context.toImageButtonOptions = options
  }
}
