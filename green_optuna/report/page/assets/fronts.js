// The front over each pair of objectives, and over three.

const shown = { errors: true, references: true };

// What is drawn alike: its rows, its mark, and what the legend calls it.
function groups() {
  const colour = colours();
  const { front, may_be, others } = data.drawn;
  const allowed = others.filter((row) => value(row, "feasible") !== false);
  const violating = others.filter((row) => value(row, "feasible") === false);
  return [
    { name: "other trials", rows: allowed, mark: "circle-open", size: 6, colour: colour.others },
    { name: "violates a constraint", rows: violating, mark: "x-thin-open", size: 7, colour: colour.others },
    { name: "may be on the front", rows: may_be, mark: "circle-open", size: 9, colour: colour.front, errors: true },
    { name: "on the front", rows: front, mark: "circle", size: 9, colour: colour.front, errors: true },
  ].filter(({ rows }) => rows.length);
}

function isCheckpoint(row) {
  return value(row, "state") === "checkpoint";
}

// Half-lengths of the bars of an interval, beside each value.
function errorBars(rows, name, factor, colour) {
  const ends = (end) => rows.map((row) => value(row, `${name}_${end}`));
  const [low, high] = [ends("low"), ends("high")];
  if (!shown.errors || !high.some((one) => one !== null)) return undefined;
  const at = rows.map((row) => value(row, name));
  return {
    type: "data",
    symmetric: false,
    array: high.map((end, place) => (end === null ? 0 : (end - at[place]) * factor)),
    arrayminus: low.map((end, place) => (end === null ? 0 : (at[place] - end) * factor)),
    color: colour,
    thickness: 1,
    width: 3,
  };
}

// Rows as one trace: `places` says which axis shows which objective, with its factor.
function points(group, places, type) {
  const { rows, mark, size, colour } = group;
  const trace = {
    type,
    mode: "markers",
    name: group.name,
    customdata: rows,
    hoverinfo: "none",
    marker: {
      color: colour,
      size: type === "scatter3d" ? size * 0.6 : size,
      symbol: rows.map((row) => (isCheckpoint(row) ? mark.replace("circle", "square") : mark)),
      line: { width: 1.2, color: colour },
    },
    // Rings say what is selected: nothing else fades.
    unselected: { marker: { opacity: 1 } },
  };
  if (type === "scatter3d" && mark.startsWith("x-thin")) trace.marker.symbol = "x";
  for (const [axis, place] of Object.entries(places)) {
    const { name, factor } = place;
    trace[axis] = rows.map((row) => coordinate(row, place));
    if (group.errors && type === "scatter") {
      trace[`error_${axis}`] = errorBars(rows, name, factor, colour);
    }
  }
  return trace;
}

// Where a row is on an axis: at its value there, or, of choices, at the number of its own.
function coordinate(row, { name, factor, choices }) {
  const cell = value(row, name);
  if (!choices) return typeof cell === "number" ? cell * factor : null;
  const at = choices.findIndex((one) => JSON.stringify(one) === JSON.stringify(cell));
  return at < 0 ? null : at;
}

// A circle of nine pixels about a point, as a path: Plotly's own goes wrong on a logarithmic axis.
const CIRCLE = "M9,0C9,5,5,9,0,9C-5,9,-9,5,-9,0C-9,-5,-5,-9,0,-9C5,-9,9,-5,9,0Z";

// Give rings round some rows, as wide as they are whatever the axes.
function ringsOf(places) {
  return (rows) => {
    // Of many, thin ones leave something to be seen of the points.
    const line = { width: rows.length > 40 ? 1 : 3, color: colours().picked };
    const circle = { type: "path", path: CIRCLE, xsizemode: "pixel", ysizemode: "pixel", line };
    return rows.flatMap((row) => {
      const [x, y] = [coordinate(row, places.x), coordinate(row, places.y)];
      if (x === null || y === null) return [];
      return [{ ...circle, name: String(row), xanchor: x, yanchor: y }];
    });
  };
}

// In three dimensions there are no shapes: the same points, larger and hollow.
function spaceRingOf(places) {
  return (rows) => {
    const update = { customdata: [rows] };
    for (const [axis, place] of Object.entries(places)) {
      update[axis] = [rows.map((row) => coordinate(row, place))];
    }
    return update;
  };
}

function emptySpaceRing() {
  const colour = colours();
  return {
    type: "scatter3d",
    mode: "markers",
    name: "selected",
    x: [],
    y: [],
    z: [],
    customdata: [],
    hoverinfo: "none",
    marker: { symbol: "circle-open", size: 12, color: colour.picked, line: { width: 3, color: colour.picked } },
  };
}

function star(places, type) {
  const colour = colours();
  const group = { name: "the choice", rows: [data.chosen], mark: "star", size: 17, colour: colour.choice };
  const trace = points(group, places, type);
  // In three dimensions, Plotly has no star.
  trace.marker.symbol = type === "scatter3d" ? "diamond" : "star";
  trace.marker.line = { width: 1.2, color: colour.ink };
  return trace;
}

function referenceTraces(places, type) {
  if (!shown.references) return [];
  const colour = colours();
  const names = Object.values(places).map(({ name }) => name);
  return ["published", "estimated"].flatMap((basis) => {
    const those = data.references.filter(
      (one) => one.basis === basis && names.every((name) => typeof one.values[name] === "number"),
    );
    if (!those.length) return [];
    const trace = {
      type,
      mode: "markers+text",
      name: `${basis} elsewhere`,
      hoverinfo: "none",
      text: those.map((one) => plain(shorten(one.name, 28))),
      textposition: textPlaces(places.x.name, those.map((one) => one.values[places.x.name])),
      textfont: { color: colour[basis], size: 12 },
      unselected: { marker: { opacity: 1 }, textfont: { color: colour[basis] } },
      cliponaxis: false,
      tips: those.map(tipOfReference),
      marker: { symbol: "diamond-open", size: type === "scatter3d" ? 6 : 11, color: colour[basis], line: { width: 2, color: colour[basis] } },
    };
    for (const [axis, { name, factor }] of Object.entries(places)) {
      trace[axis] = those.map((one) => one.values[name] * factor);
    }
    return [trace];
  });
}

// Texts above marks, led away from an end of the axis that is near.
function textPlaces(name, values) {
  const place = (one) => (data.logarithmic[name] ? Math.log10(one) : one);
  const all = valuesFor(name).map(place).filter(Number.isFinite);
  const [from, to] = [Math.min(...all), Math.max(...all)];
  const share = (one) => (place(one) - from) / (to - from);
  return values.map((one) => (share(one) < 0.15 ? "top right" : share(one) > 0.85 ? "top left" : "top center"));
}

function tipOfReference(one) {
  const rows = data.objectives.map((name) =>
    element(
      "tr",
      {},
      element("th", {}, headingOf(name)),
      element("td", {}, one.values[name] === null ? "not known" : show(name, one.values[name])),
    ),
  );
  const title = `${shorten(visible(one.name), 200)}: ${one.basis} elsewhere, no trial`;
  return [element("strong", {}, title), element("table", {}, ...rows)];
}

function valuesFor(name) {
  const rows = [...data.drawn.front, ...data.drawn.may_be, ...data.drawn.others];
  const others = data.references.map((one) => one.values[name]);
  return [...rows.map((row) => value(row, name)), ...others].filter((one) => typeof one === "number");
}

function pairFigure(first, second) {
  return () => {
    const [y, x] = [first, second].map((name) =>
      axisOf(name, valuesFor(name), { logarithmic: data.logarithmic[name] }),
    );
    const places = { x: { name: second, factor: x.factor }, y: { name: first, factor: y.factor } };
    const colour = colours();
    const columns = [first, second].map((name) => data.objectives.indexOf(name));
    const stairs = data.staircases[columns.join("|")];
    const line = {
      type: "scatter",
      mode: "lines",
      hoverinfo: "skip",
      x: stairs.map((row) => coordinate(row, places.x)),
      y: stairs.map((row) => coordinate(row, places.y)),
      line: { shape: "hv", color: colour.front, width: 1.5 },
    };
    const traces = [
      line,
      ...groups().map((group) => points(group, places, "scatter")),
      ...(data.chosen === null ? [] : [star(places, "scatter")]),
      ...referenceTraces(places, "scatter"),
    ];
    return { traces, layout: baseLayout({ xaxis: x.layout, yaxis: y.layout }), ring: ringsOf(places) };
  };
}

// Of one objective there is no pair: over the trials, in the order of their numbers.
function singleFigure(name) {
  return () => {
    const y = axisOf(name, valuesFor(name), { logarithmic: data.logarithmic[name] });
    const places = { x: { name: "trial", factor: 1 }, y: { name, factor: y.factor } };
    const traces = [
      ...groups().map((group) => points(group, places, "scatter")),
      ...(data.chosen === null ? [] : [star(places, "scatter")]),
    ];
    const xaxis = { ...axisOf("trial", []).layout, title: { text: "trial" } };
    return { traces, layout: baseLayout({ xaxis, yaxis: y.layout }), ring: ringsOf(places) };
  };
}

function spaceFigure(place, names) {
  return () => {
    const [x, y, z] = ["second", "third", "first"].map((which) => names()[which]);
    const axes = Object.entries({ x, y, z }).map(([axis, name]) => [
      axis,
      name,
      axisOf(name, valuesFor(name), { logarithmic: data.logarithmic[name] }),
    ]);
    const places = Object.fromEntries(axes.map(([axis, name, { factor }]) => [axis, { name, factor }]));
    const scene = Object.fromEntries(
      axes.map(([axis, , { layout }]) => [`${axis}axis`, { ...layout, showspikes: false, backgroundcolor: "rgba(0,0,0,0)" }]),
    );
    const traces = [
      ...groups().map((group) => points(group, places, "scatter3d")),
      ...(data.chosen === null ? [] : [star(places, "scatter3d")]),
      ...referenceTraces(places, "scatter3d"),
      emptySpaceRing(),
    ];
    // Seen from so far, what an axis is called has room beside it on a small screen, too.
    const far = 1.6 * Math.max(1, 440 / place.clientWidth);
    const camera = { eye: { x: far, y: far, z: far / 1.6 }, center: { x: 0, y: 0, z: -0.2 } };
    const layout = baseLayout({ scene: { ...scene, camera } });
    layout.margin = { l: 0, r: 0, t: 0, b: 0 };
    return { traces, layout, ring: spaceRingOf(places) };
  };
}

function hasWebGL() {
  try {
    const canvas = document.createElement("canvas");
    return Boolean(canvas.getContext("webgl2") ?? canvas.getContext("webgl"));
  } catch {
    return false;
  }
}

function figureBox(label, className = "figure") {
  const place = element("div", { class: "plot", role: "img", "aria-label": label });
  return { place, box: element("figure", { class: className }, element("figcaption", {}, label), place) };
}

function startFronts() {
  const home = document.getElementById("pairs");
  const names = data.objectives;
  if (!data.table.n_candidates) return;
  if (names.length === 1) {
    const { place, box } = figureBox(`${headingOf(names[0])} of each trial`);
    home.append(box);
    chart(place, singleFigure(names[0]));
  }
  for (let i = 0; i < names.length; i += 1) {
    for (let j = i + 1; j < names.length; j += 1) {
      const { place, box } = figureBox(`${shorten(headingOf(names[i]), 60)} against ${shorten(headingOf(names[j]), 60)}`);
      home.append(box);
      chart(place, pairFigure(names[i], names[j]));
    }
  }
  if (names.length >= 3) startSpace(home, names);
  for (const [id, what] of [["show-errors", "errors"], ["show-references", "references"]]) {
    document.getElementById(id)?.addEventListener("change", (event) => {
      shown[what] = event.target.checked;
      redrawAll();
    });
  }
}

function startSpace(home, names) {
  const { place, box } = figureBox(`Three objectives at once${byTouch ? "" : ": drag to turn"} (the choice is the large diamond)`, "figure space");
  home.append(box);
  if (!hasWebGL()) {
    place.replaceWith(element("p", { class: "note" }, "This browser draws nothing in three dimensions (no WebGL). The figures of two objectives show the same trials."));
    return;
  }
  const menus = {};
  const axes = ["first", "second", "third"];
  if (names.length > 3) {
    const bar = element("p", { class: "controls" });
    axes.forEach((axis, number) => {
      const options = names.map((name, nth) =>
        element("option", { value: name, selected: nth === number }, shorten(headingOf(name), 40)),
      );
      menus[axis] = element("select", { "aria-label": `${axis} axis`, on: { change: () => draw(space) } }, ...options);
      bar.append(menus[axis], " ");
    });
    place.before(bar);
  }
  const chosen = () => Object.fromEntries(axes.map((axis, number) => [axis, menus[axis]?.value ?? names[number]]));
  const config = { ...CONFIG, modeBarButtons: [["orbitRotation", "zoom3d", "resetCameraDefault3d", "toImage"]] };
  const space = chart(place, spaceFigure(place, chosen), { config });
}
