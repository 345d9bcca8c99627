"use strict";
(() => {
  const slides = [...document.querySelectorAll(".slide")];
  const body = document.body;
  const ink = getComputedStyle(body).color;
  let at = 0;

  function draw(place) {
    if (place.dataset.drawn || !window.Plotly) return;
    place.dataset.drawn = "1";
    const { data, layout } = JSON.parse(place.dataset.figure);
    const ground = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)" };
    Object.assign(layout, ground, { font: { ...layout.font, color: ink }, autosize: true, dragmode: false });
    delete layout.width;
    delete layout.height;
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis/.test(key)) layout[key] = { gridcolor: "rgba(139,146,154,0.25)", ...layout[key] };
    }
    Plotly.newPlot(place, data, layout, { responsive: true, displayModeBar: false });
  }

  const show = to => {
    at = Math.min(Math.max(to, 0), slides.length - 1);
    slides.forEach((slide, index) => slide.classList.toggle("now", index === at));
    slides[at].querySelectorAll(".plot").forEach(place => (place.dataset.drawn ? Plotly.Plots.resize(place) : draw(place)));
  };
  const presenting = () => body.classList.contains("presenting");
  const fullscreen = on => {
    const asked = on ? document.documentElement.requestFullscreen?.() : document.fullscreenElement && document.exitFullscreen();
    asked?.catch?.(() => {});
  };
  function present(on) {
    if (!slides.length) return;
    body.classList.toggle("presenting", on);
    if (on) return show(at);
    document.querySelectorAll(".plot").forEach(place => (place.dataset.drawn ? Plotly.Plots.resize(place) : draw(place)));
    slides[at].scrollIntoView();
  }

  document.getElementById("present").onclick = () => {
    present(true);
    fullscreen(true);
  };
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "f" || event.key === "F") return fullscreen(!document.fullscreenElement);
    if (!presenting()) return;
    const steps = { ArrowRight: at + 1, PageDown: at + 1, " ": at + 1, ArrowLeft: at - 1, PageUp: at - 1, Home: 0, End: slides.length - 1 };
    if (event.key === "Escape") return present(false);
    if (!(event.key in steps)) return;
    event.preventDefault();
    show(steps[event.key]);
  });
  if (document.documentElement.hasAttribute("data-presenting")) present(true);
  else document.querySelectorAll(".plot").forEach(draw);
})();
