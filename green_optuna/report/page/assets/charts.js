// What all figures share: colours, axes, marks, hovering and choosing. Each is drawn once it is
// near the screen, for a study may have many.

const charts = [];
let printing = false;

// A finger's drag scrolls the page, so that figures take no more than taps.
const byTouch = window.matchMedia("(pointer: coarse)").matches;

// Texts that Plotly would take for tags or entities, as they are.
function plain(text) {
  return visible(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

// Colours as they are in the page's present state, light or dark, for Plotly.
function colours() {
  const probe = document.body.appendChild(element("span", { hidden: true }));
  const style = getComputedStyle(probe);
  const computed = (name) => {
    probe.style.color = `var(--${name})`;
    return style.color;
  };
  const names = [
    "ink", "muted", "line", "paper", "front", "others", "choice", "picked", "published",
    "estimated", "cpu", "gpu", "ram",
  ];
  const found = Object.fromEntries(names.map((name) => [name, computed(name)]));
  probe.remove();
  return found;
}

// How an axis of a quantity is laid out, and by what its values are multiplied. Its unit is that
// in which values like `like` read best.
function axisOf(name, values, { logarithmic = false, like = values } = {}) {
  const { factor, unit } = axisUnit(name, like, logarithmic ? 0.75 : 1);
  const heading = headingOf(name);
  const colour = colours();
  const layout = {
    title: { text: plain(shorten(heading, 60)) + (unit ? ` (${unit})` : ""), standoff: 8 },
    type: logarithmic ? "log" : "linear",
    gridcolor: colour.line,
    linecolor: colour.line,
    zeroline: false,
    color: colour.muted,
    automargin: true,
  };
  if (logarithmic) Object.assign(layout, logTicks(values.map((one) => one * factor)));
  return { factor, layout };
}

// Round numbers on a logarithmic axis: 1, 2, 5 of each decade, or, over many decades, 1 alone.
function logTicks(values) {
  const positive = values.filter((one) => one > 0);
  if (!positive.length) return {};
  const [from, to] = [Math.min(...positive), Math.max(...positive)].map((one) => Math.floor(Math.log10(one)));
  const steps = to - from > 2 ? [1] : to - from > 1 ? [1, 3] : [1, 2, 5];
  const ticks = [];
  for (let power = from - 1; power <= to + 1; power += Math.ceil((to - from) / 8) || 1) {
    for (const step of steps) ticks.push(Number(`${step}e${power}`));
  }
  return { tickvals: ticks, ticktext: ticks.map((tick) => (tick < 1e6 && tick >= 1e-4 ? String(tick) : general(tick))) };
}

function baseLayout(extra = {}) {
  const colour = colours();
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour.ink },
    margin: { l: 56, r: 16, t: 12, b: 48 },
    hovermode: "closest",
    dragmode: byTouch ? false : "select",
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour.muted, activecolor: colour.front },
    showlegend: false,
    // What a reader has zoomed or chosen stays when a figure is drawn anew.
    uirevision: "kept",
    ...extra,
  };
}

const CONFIG = {
  responsive: true,
  displaylogo: false,
  displayModeBar: byTouch ? false : "hover",
  modeBarButtons: [["zoom2d", "pan2d", "select2d", "lasso2d", "resetScale2d", "toImage"]],
  toImageButtonOptions: { format: "svg" },
};

// Of figures in which there is nothing to select by dragging.
const PICKLESS = { ...CONFIG, modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]] };

// Register a figure: `figure()` gives its traces, layout and, where rows are points, `ring(rows)`,
// the shapes that ring some of them; in three dimensions, what the last trace becomes. Dragging
// selects where it `picks`.
function chart(place, figure, { picks = true, config = picks ? CONFIG : PICKLESS } = {}) {
  const one = { place, figure, config, picks, drawn: false };
  charts.push(one);
  observer.observe(place);
  return one;
}

const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const one = charts.find((each) => each.place === entry.target);
      if (entry.isIntersecting && one && !one.drawn) draw(one);
    }
  },
  { rootMargin: "400px" },
);

function draw(one) {
  const first = !one.drawn;
  one.drawn = true;
  one.now = one.figure();
  const { traces, layout } = one.now;
  if (!one.picks && !byTouch) layout.dragmode = "zoom";
  // On paper a figure has the width that its place has there, which no event tells of.
  if (printing) Object.assign(layout, { width: one.place.clientWidth, height: one.place.clientHeight });
  Plotly.react(one.place, traces, layout, one.config);
  if (first) listen(one);
  ring(one);
}

function redrawAll() {
  for (const one of charts) if (one.drawn) draw(one);
}

function drawAll() {
  for (const one of charts) if (!one.drawn) draw(one);
}

// The figure in which somebody selects by dragging, while that is told.
let dragged = null;

function ring(one) {
  if (!one.drawn || !one.now.ring) return;
  const { ring: ringed, traces, layout } = one.now;
  // A shape is drawn at once; for a trace of one point, all others are drawn anew.
  if (layout.scene) return Plotly.restyle(one.place, ringed([...selected]), [traces.length - 1]);
  const shapes = ringed([...selected]);
  // What was selected by dragging is so no longer when something else is selected.
  if (one !== dragged && one.place.layout.selections?.length) {
    one.settling = true;
    const done = Plotly.update(one.place, { selectedpoints: null }, { shapes, selections: [] });
    done.finally(() => (one.settling = false));
  } else Plotly.relayout(one.place, { shapes });
}

let tapped_ms = -Infinity;

function listen(one) {
  const rowsOf = (event) => [
    ...new Set((event?.points ?? []).map((point) => point.customdata).filter(Number.isInteger)),
  ];
  const tell = (event) => {
    const [point] = event.points;
    const [row] = rowsOf(event);
    if (point?.data.tips) showTip(event.event, point.data.tips[point.pointNumber]);
    else if (row !== undefined) showTip(event.event, tipOfRow(row));
  };
  one.place.on("plotly_hover", tell);
  one.place.on("plotly_unhover", hideTip);
  one.place.on("plotly_click", (event) => {
    const [row] = rowsOf(event);
    const { type = "", timeStamp = 0, shiftKey, ctrlKey, metaKey } = event.event ?? {};
    // A tap is told of twice: as itself, and as the click that a browser makes of it.
    if (type.startsWith("touch")) tapped_ms = timeStamp;
    else if (timeStamp - tapped_ms < 1000) return;
    if (row !== undefined) toggle(row, { add: shiftKey || ctrlKey || metaKey });
    if (byTouch) tell(event);
  });
  one.place.on("plotly_selected", (event) => {
    if (!event || one.settling) return;
    dragged = one;
    select(rowsOf(event));
    dragged = null;
  });
  // Plotly says so, too, of a frame that was taken away here.
  one.place.on("plotly_deselect", () => one.settling || select([]));
}

// What is told of a point beside the pointer: texts only, in a box of the page's own.
function tipOfRow(row) {
  const lines = [element("strong", {}, `${trialTitle(row)}: ${standing(row)}`)];
  const rows = [];
  for (const name of [...data.objectives, "quality", "energy_kwh", "duration_s"]) {
    const cell = value(row, name);
    if (cell === null || rows.some((made) => made.dataset.name === name)) continue;
    rows.push(tipLine(name, cell, interval(row, name)));
  }
  const params = table.names.filter((name) => name.startsWith("param_") && value(row, name) !== null);
  for (const name of params.slice(0, 8)) rows.push(tipLine(name, value(row, name), ""));
  lines.push(element("table", {}, ...rows));
  if (params.length > 8) lines.push(element("p", {}, `and ${params.length - 8} more hyperparameters`));
  return lines;
}

function tipLine(name, cell, more, heading = headingOf(name)) {
  return element(
    "tr",
    { "data-name": name },
    element("th", {}, shorten(heading, 40)),
    element("td", {}, shorten(show(name, cell), 60), more ? ` (${more})` : ""),
    element("td", { class: "exact" }, exact(name, cell)),
  );
}

function interval(row, name) {
  const low = value(row, `${name}_low`);
  const high = value(row, `${name}_high`);
  return low === null || high === null ? "" : `${show(name, low)} to ${show(name, high)}`;
}

function showTip(event, content) {
  const tip = document.getElementById("tip");
  tip.replaceChildren(...content);
  tip.hidden = false;
  const { clientX: x = 0, clientY: y = 0 } = event?.touches?.[0] ?? event ?? {};
  const { width, height } = tip.getBoundingClientRect();
  const right = x + 16 + width < window.innerWidth ? x + 16 : Math.max(4, x - width - 16);
  const below = y + 16 + height < window.innerHeight ? y + 16 : Math.max(4, y - height - 16);
  tip.style.left = `${right}px`;
  tip.style.top = `${below}px`;
}

function hideTip() {
  document.getElementById("tip").hidden = true;
}

// No finger leaves a point: its tip stays until the next tap, or until what it tells of is away.
if (byTouch) {
  document.addEventListener("touchstart", hideTip, { passive: true });
  document.addEventListener("scroll", hideTip, { passive: true });
}
