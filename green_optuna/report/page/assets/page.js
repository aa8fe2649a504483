// What the rest of the page does: details of what is selected, traces, curves, hyperparameters,
// the search over time, colours and keys.

function startDetails() {
  const home = document.getElementById("details");
  const most = 4;
  onSelection(() => {
    const rows = [...selected];
    // Its buttons are made anew: who was at one is still here.
    if (home.contains(document.activeElement)) home.focus({ preventScroll: true });
    home.classList.toggle("empty", !rows.length);
    if (!rows.length) {
      home.replaceChildren(element("p", { class: "hint" }, home.dataset.hint));
      return;
    }
    const shownRows = rows.slice(0, most);
    const names = table.names.filter(
      (name) => !["label", "trial"].includes(name) && !/_(low|high)$/.test(name) && shownRows.some((row) => value(row, name) !== null),
    );
    const head = element("tr", {}, element("td", {}), ...shownRows.map((row) => element("th", { scope: "col" }, trialTitle(row))));
    const body = names.map((name) => element("tr", {}, detailHeading(name), ...shownRows.map((row) => detailCell(row, name))));
    const clear = element("button", { type: "button", on: { click: () => select([]) } }, "Clear the selection");
    const more = rows.length > most ? `The first ${most} of ${rows.length} selected. ` : "";
    const listThem = element("button", { type: "button", on: { click: listSelected } }, "Show them in the table");
    home.replaceChildren(
      element("div", { class: "scroll" }, element("table", { class: "details" }, element("thead", {}, head), element("tbody", {}, ...body))),
      element("p", { class: "controls" }, more, listThem, " ", clear),
    );
  });
}

function detailHeading(name) {
  const heading = shorten(headingOf(name), 60);
  return element("th", { scope: "row", class: heading.length > 28 ? "long" : null }, heading);
}

function detailCell(row, name) {
  const cell = value(row, name);
  const more = interval(row, name);
  const full = exact(name, cell);
  return element(
    "td",
    { title: full || null },
    shorten(show(name, cell), 200),
    ...(more ? [element("small", {}, ` (${more})`)] : []),
    ...(full ? [element("small", { class: "exact" }, ` ${full}`)] : []),
  );
}

function listSelected() {
  for (const [id, to] of [["trials-only", "selected"], ["trials-state", ""], ["trials-filter", ""]]) {
    document.getElementById(id).value = to;
  }
  Object.assign(listing, { only: "selected", state: "", terms: [], page: 0 });
  list();
  document.getElementById("trials").scrollIntoView();
  tableRegion().focus({ preventScroll: true });
}

// Rows of the page's own tables that stand for a trial select it.
function startRows() {
  for (const button of document.querySelectorAll("button[data-select]")) {
    const row = Number(button.dataset.select);
    button.addEventListener("click", (event) => toggle(row, { add: event.shiftKey || event.ctrlKey || event.metaKey }));
    onSelection(() => button.setAttribute("aria-pressed", String(selected.has(row))));
  }
}

const PARTS = [["cpu", "processor"], ["gpu", "accelerators"], ["ram", "memory"]];

function startTraces() {
  const home = document.getElementById("traces");
  const sum = (one) => one.t_s.map((_, at) => PARTS.reduce((all, [part]) => all + (one[`${part}_w`][at] ?? 0), 0));
  const most_w = Math.max(0, ...data.traces.flatMap(sum));
  for (const one of data.traces) {
    const { place, box } = figureBox(one.title, "figure small");
    home.append(box);
    chart(place, traceFigure(one, most_w), { picks: false });
  }
}

function traceFigure(one, most_w) {
  return () => {
    const colour = colours();
    const tips = one.t_s.map((_, at) => tipOfPower(one, at));
    const traces = PARTS.filter(([part]) => one[`${part}_w`].some((power) => power > 0)).map(([part, name]) => ({
      type: "scatter",
      mode: "lines",
      name,
      // The power at a point is the mean since the point before it.
      x: [0, ...one.t_s],
      y: [one[`${part}_w`][0], ...one[`${part}_w`]],
      line: { shape: "vh", width: 1, color: colour[part] },
      stackgroup: "power",
      hoverinfo: "none",
      tips: [tips[0], ...tips],
    }));
    const xaxis = { ...axisOf("duration_s", one.t_s).layout, title: { text: "time (s)", standoff: 6 } };
    const yaxis = { ...axisOf("power", []).layout, title: { text: "power (W)" }, range: [0, most_w * 1.05 || 1] };
    return { traces, layout: baseLayout({ xaxis, yaxis, hovermode: "x" }) };
  };
}

function tipOfPower(one, at) {
  const known = PARTS.filter(([part]) => one[`${part}_w`][at] !== null);
  const lines = known.map(([part, name]) => tipLine("power_w", one[`${part}_w`][at], "", name));
  return [element("strong", {}, `Trial ${one.label}`), element("table", {}, tipLine("duration_s", one.t_s[at], "", "until"), ...lines)];
}

// Colours that colour-blind people can tell apart (after Okabe and Ito, but dark enough for white
// paper and light enough for black), with dashes besides.
const LINES = ["#0072B2", "#D55E00", "#009E73", "#B5679C", "#2C8FC9", "#BF7F00", "#8C6D31", "#7F7F7F"];
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "solid", "dash", "dot"];

function startCurves() {
  const place = document.getElementById("curves");
  if (!place || !data.curves.length) return;
  chart(place, () => {
    // As on the front's axis of CO2e, in its unit.
    const spent = data.curves.flatMap((one) => one.co2e_kg);
    const logarithmic = data.logarithmic.co2e_kg ?? false;
    const x = axisOf("co2e_kg", spent, { logarithmic, like: logarithmic ? valuesFor("co2e_kg") : spent });
    const traces = data.curves.map((one, number) => ({
      type: "scatter",
      mode: one.step.length > 1 ? "lines" : "markers",
      name: `trial ${one.label}`,
      x: one.co2e_kg.map((kg) => kg * x.factor),
      y: one.quality,
      customdata: one.step.map(() => one.row),
      tips: one.step.map((step, at) => [
        element("strong", {}, `Trial ${one.label} at step ${step}`),
        element("table", {}, tipLine("quality", one.quality[at], ""), tipLine("co2e_kg", one.co2e_kg[at], ""), tipLine("duration_s", one.t_s[at], "")),
      ]),
      hoverinfo: "none",
      line: { color: LINES[number], dash: DASHES[number], width: one.row === data.chosen ? 3 : 1.8 },
    }));
    const layout = baseLayout({ xaxis: x.layout, yaxis: axisOf("quality", []).layout, showlegend: true });
    layout.xaxis.title.text = layout.xaxis.title.text.replace("CO2e", "CO2e spent by then");
    layout.legend = { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 };
    layout.margin.t = 48;
    return { traces, layout };
  }, { picks: false });
}

function startParams() {
  const place = document.getElementById("param-plot");
  if (!place) return;
  const menu = (id) => document.getElementById(id);
  const one = chart(place, () => {
    const number = Number(menu("param-name").value);
    const [name, choices] = [data.params[number], data.choices[number]];
    const objective = data.objectives[Number(menu("param-objective").value)];
    const y = axisOf(objective, valuesFor(objective), { logarithmic: data.logarithmic[objective] });
    const column = `param_${name}`;
    const places = { x: { name: column, factor: 1, choices }, y: { name: objective, factor: y.factor } };
    const xaxis = axisOf(column, []).layout;
    if (choices) Object.assign(xaxis, choiceTicks(choices, place.clientWidth));
    else if (data.log_params.includes(name)) Object.assign(xaxis, { type: "log" }, logTicks(valuesFor(column)));
    const traces = [
      ...groups().map((group) => points({ ...group, errors: false }, places, "scatter")),
      ...(data.chosen === null ? [] : [star(places, "scatter")]),
    ];
    place.setAttribute("aria-label", `${headingOf(objective)} against ${visible(name)}`);
    const layout = baseLayout({ xaxis, yaxis: y.layout, uirevision: `${column} ${objective}` });
    return { traces, layout, ring: ringsOf(places) };
  });
  for (const id of ["param-name", "param-objective"]) menu(id).addEventListener("change", () => one.drawn && draw(one));
}

// A place for each choice, whatever it is called; names too many for the width stand at some.
function choiceTicks(choices, width) {
  const every = Math.ceil(choices.length / Math.max(4, width / 18));
  const numbers = [...choices.keys()].filter((number) => number % every === 0);
  return {
    tickvals: numbers,
    ticktext: numbers.map((number) => plain(shortenMiddle(show("", choices[number]), 30))),
    range: [-0.5, choices.length - 0.5],
  };
}

function startHypervolume() {
  const place = document.getElementById("hypervolume");
  if (!place || !data.hypervolume) return;
  chart(place, () => {
    const { co2e_kg, share } = data.hypervolume;
    const x = axisOf("co2e_kg", co2e_kg);
    const traces = [
      {
        type: "scatter",
        mode: "lines",
        x: co2e_kg.map((kg) => kg * x.factor),
        y: share.map((part) => 100 * part),
        line: { shape: "hv", width: 2, color: colours().front },
        hoverinfo: "none",
        tips: co2e_kg.map((kg, at) => [
          element("strong", {}, `${general(100 * share[at])}% of the final hypervolume`),
          element("table", {}, tipLine("co2e_kg", kg, "", "CO2e spent by then")),
        ]),
      },
    ];
    const layout = baseLayout({ xaxis: x.layout, yaxis: { ...axisOf("share", []).layout, title: { text: "of the final hypervolume (%)" }, rangemode: "tozero" }, hovermode: "x" });
    layout.xaxis.title.text = layout.xaxis.title.text.replace("CO2e", "CO2e spent by the study");
    return { traces, layout };
  }, { picks: false });
}

function startTheme() {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const say = () => (button.textContent = isDark() ? "Light" : "Dark");
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    say();
    redrawAll();
  });
  dark.addEventListener("change", () => {
    say();
    redrawAll();
  });
  say();
  document.getElementById("print").addEventListener("click", () => window.print());
  startPrint();
}

// On paper, figures and tables are as wide as the paper, colours are those of the light page, and
// nothing waits to come near the screen.
function startPrint() {
  const root = document.documentElement;
  let before;
  const change = (to) => {
    if (printing === to) return;
    printing = to;
    if (to) before = root.dataset.theme;
    root.dataset.theme = to ? "light" : before ?? "";
    if (!root.dataset.theme) delete root.dataset.theme;
    root.classList.toggle("printing", to);
    document.querySelectorAll(".scroll > table").forEach(to ? fitPaper : leavePaper);
    redrawAll();
    if (to) drawAll();
    else charts.filter((one) => one.drawn).forEach((one) => Plotly.Plots.resize(one.place));
  };
  window.addEventListener("beforeprint", () => change(true));
  window.addEventListener("afterprint", () => change(false));
  window.matchMedia("print").addEventListener("change", (event) => change(event.matches));
}

// So small, letters of 8 points have 6.
const LEAST_ZOOM = 0.75;

function fitPaper(place) {
  const room = place.parentElement.clientWidth;
  if (place.id === "trials-table") cutColumns(place, room / LEAST_ZOOM);
  place.style.zoom = Math.min(1, room / place.scrollWidth);
}

function leavePaper(place) {
  place.style.zoom = "";
  for (const cell of place.querySelectorAll("[hidden]")) cell.hidden = false;
  document.getElementById("trials-cut").textContent = "";
}

// Hide columns that have no place in the width, the last ones first, and say how many.
function cutColumns(place, width) {
  const ends = [...place.tHead.rows[0].cells].map((cell) => cell.offsetLeft + cell.offsetWidth);
  const kept = Math.max(1, ends.filter((end) => end <= width).length);
  for (const row of place.rows) [...row.cells].slice(kept).forEach((cell) => (cell.hidden = true));
  const cut = ends.length - kept;
  document.getElementById("trials-cut").textContent = cut
    ? `${cut} more ${cut === 1 ? "column is" : "columns are"} left out on paper; the page and its CSV file have all.`
    : "";
}

// In a frame that allows scripts alone, such as the one in which MLflow shows a file, addresses
// inside the page lead nowhere, and nothing can be downloaded or printed.
function startFrame() {
  const framed = self.origin === "null" && location.protocol !== "file:";
  document.documentElement.classList.toggle("framed", framed);
  if (!framed) return;
  for (const link of document.querySelectorAll('a[href^="#"]')) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      document.getElementById(link.hash.slice(1)).scrollIntoView();
    });
  }
}

function startKeys() {
  // Along the line of the first figure, from what costs least.
  const along = data.objectives[1] ?? data.objectives[0];
  const members = [...data.drawn.front].sort((a, b) => value(a, along) - value(b, along));
  const keys = document.getElementById("use-keys");
  const front = document.getElementById("front");
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input[type=search], select, textarea");
    const here = event.target === document.body || front.contains(event.target);
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      hideTip();
      select([]);
    } else if (here && keys.checked && members.length && (event.key === "n" || event.key === "p")) {
      const [now] = selected.size === 1 ? selected : [];
      const at = members.indexOf(now);
      const step = event.key === "n" ? 1 : -1;
      const next = at < 0 ? (step > 0 ? 0 : members.length - 1) : (at + step + members.length) % members.length;
      select([members[next]]);
    }
  });
}

document.documentElement.classList.add("live");
startDetails();
startRows();
startTable();
startFronts();
startTraces();
startCurves();
startParams();
startHypervolume();
startTheme();
startFrame();
startKeys();
onSelection(() => charts.forEach(ring));
