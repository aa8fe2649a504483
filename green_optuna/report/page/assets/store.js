// The study's data, and which rows are selected: figures and table are told of a change.

const data = JSON.parse(document.getElementById("data").textContent);
const table = data.table;
const rowCount = table.columns.label.length;

function value(row, name) {
  return table.columns[name]?.[row] ?? null;
}

const selected = new Set();
const listeners = [];

function onSelection(listener) {
  listeners.push(listener);
}

// Select these rows and no others.
function select(rows) {
  selected.clear();
  for (const row of rows) selected.add(row);
  for (const listener of listeners) listener();
}

// Select a row, or no longer; others stay as they are where they are to be added to.
function toggle(row, { add = false } = {}) {
  const rows = add ? new Set(selected) : new Set(selected.has(row) && selected.size === 1 ? [row] : []);
  if (rows.has(row)) rows.delete(row);
  else rows.add(row);
  select(rows);
}

// An element with attributes and children; texts are texts, whatever they hold.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, set] of Object.entries(attributes)) {
    if (name === "on") for (const [event, act] of Object.entries(set)) made.addEventListener(event, act);
    else if (set === true) made.setAttribute(name, "");
    else if (set !== false && set !== null && set !== undefined) made.setAttribute(name, set);
  }
  made.append(...children);
  return made;
}

function trialTitle(row) {
  const step = value(row, "state") === "checkpoint" ? ", a saved step" : "";
  return `Trial ${value(row, "label")}${step}`;
}

// How a row stands: on the front, perhaps, or not, and why.
function standing(row) {
  const probability = value(row, "probability");
  const likely = probability === null ? "" : ` (${percent(probability)} probable)`;
  if (row === data.chosen) return `the choice${likely}`;
  if (value(row, "on_front")) return `on the front${likely}`;
  const state = value(row, "state");
  if (state !== "complete" && state !== "checkpoint") {
    const reason = value(row, "reason");
    return reason ? `${state}: ${visible(reason)}` : state;
  }
  if (value(row, "feasible") === false) return "violates a constraint";
  return probability > 0 ? `not on the front (${percent(probability)} probable)` : "not on the front";
}
