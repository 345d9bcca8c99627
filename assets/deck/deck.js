"use strict";
(() => {
  const slides = [...document.querySelectorAll(".slide")];
  const body = document.body;
  const SMALLEST = innerWidth < 600 ? 12 : 16; // a phone is read from nearby, a screen in a hall is not
  let at = 0;

  // Every text of a figure is at least so large; what is larger stays.
  function enlarge(part, size) {
    for (const [key, value] of Object.entries(part)) {
      if (!value || typeof value !== "object") continue;
      if (/font$/.test(key)) value.size = Math.max(value.size || 0, size);
      enlarge(value, size);
    }
  }

  function draw(place) {
    if (!window.Plotly) return;
    const share = Math.round(Math.min(innerHeight / 45, innerWidth / 40));
    const size = presenting() ? Math.max(SMALLEST, share) : SMALLEST;
    const ink = getComputedStyle(body).color;
    const { data, layout } = JSON.parse(place.dataset.figure);
    enlarge({ data, layout }, size);
    const ground = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)" };
    Object.assign(layout, ground, { font: { ...layout.font, color: ink, size }, autosize: true, dragmode: false });
    delete layout.width;
    delete layout.height;
    for (const key of Object.keys(layout)) {
      if (!/^[xy]axis/.test(key)) continue;
      const axis = layout[key];
      layout[key] = { gridcolor: "rgba(139,146,154,0.25)", ...axis, automargin: true };
      layout[key].tickfont = { ...axis.tickfont, size };
      if (axis.title && axis.title.text) axis.title.font = { ...axis.title.font, size };
    }
    Plotly.react(place, data, layout, { responsive: true, displayModeBar: false });
  }

  // A table is as large as the screen allows. One that does not fit at the smallest size shows the rows that do, and says
  // how many do not.
  function fit(box) {
    const rows = [...box.querySelectorAll("tbody tr")];
    const note = box.querySelector(".cut");
    const over = () => box.scrollHeight > box.clientHeight || box.scrollWidth > box.clientWidth;
    box.classList.remove("short");
    box.style.fontSize = "";
    rows.forEach(row => (row.hidden = false));
    if (!presenting()) return;
    let size = Math.max(SMALLEST, Math.round(innerHeight / 24));
    do box.style.fontSize = `${size}px`; while (over() && --size >= SMALLEST);
    if (box.scrollHeight <= box.clientHeight) return;
    let left = 0;
    box.classList.add("short");
    note.textContent = "…";
    while (left < rows.length - 1 && box.scrollHeight > box.clientHeight) rows[rows.length - ++left].hidden = true;
    note.textContent = `… and ${left} more rows; Esc shows the whole table.`;
  }

  const show = to => {
    at = Math.min(Math.max(to, 0), slides.length - 1);
    slides.forEach((slide, index) => slide.classList.toggle("now", index === at));
    document.getElementById("place").textContent = `${at + 1} / ${slides.length}`;
    slides[at].querySelectorAll(".plot").forEach(draw);
    slides[at].querySelectorAll(".table").forEach(fit);
  };
  const drawAll = () => document.querySelectorAll(".plot").forEach(draw);
  const presenting = () => body.classList.contains("presenting");
  const fullscreen = on => {
    const asked = on ? document.documentElement.requestFullscreen?.() : document.fullscreenElement && document.exitFullscreen();
    asked?.catch?.(() => {});
  };
  const onScreen = () => slides.findIndex(slide => slide.getBoundingClientRect().bottom > innerHeight / 3);
  function present(on) {
    if (!slides.length) return;
    body.classList.toggle("presenting", on);
    if (on) return show(at);
    drawAll();
    document.querySelectorAll(".table").forEach(fit);
    slides[at].scrollIntoView();
  }
  function notes() {
    body.classList.toggle("noted");
    if (presenting()) show(at);
  }

  function press(key) {
    if (key === "f" || key === "F") return fullscreen(!document.fullscreenElement), true;
    if (key === "s" || key === "S") return notes(), true;
    if (!presenting()) {
      if (key !== "ArrowRight") return false;
      at = Math.max(0, onScreen());
      return present(true), true;
    }
    const steps = { ArrowRight: at + 1, PageDown: at + 1, " ": at + 1, ArrowLeft: at - 1, PageUp: at - 1, Home: 0, End: slides.length - 1 };
    if (key === "Escape") return present(false), true;
    if (!(key in steps)) return false;
    return show(steps[key]), true;
  }

  const on = (id, act) => document.getElementById(id)?.addEventListener("click", event => (act(), event.currentTarget.blur()));
  on("present", () => (present(true), fullscreen(true)));
  on("notes", notes);
  on("with-notes", notes);
  on("full", () => fullscreen(!document.fullscreenElement));
  on("back", () => show(at - 1));
  on("next", () => show(at + 1));
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (press(event.key)) event.preventDefault();
  });
  // The page that holds this one in a frame passes its keys on, so that arrows work wherever the focus is.
  addEventListener("message", event => {
    if (event.source === parent && event.source !== window && typeof event.data?.key === "string") press(event.data.key);
  });
  addEventListener("resize", () => presenting() && show(at));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => presenting() ? show(at) : drawAll());
  document.getElementById("full").hidden = !document.fullscreenEnabled;
  if (document.documentElement.hasAttribute("data-presenting")) present(true);
  else drawAll();
})();
