// The table of all trials: sorted, filtered, in pages, and written to files.

const ROWS_A_PAGE = 50;

const listing = { sort: "label", down: false, terms: [], state: "", only: "", page: 0, rows: [] };

function matches(row) {
  if (listing.state && value(row, "state") !== listing.state) return false;
  if (listing.only === "front" && !value(row, "on_front")) return false;
  if (listing.only === "selected" && !selected.has(row)) return false;
  return listing.terms.every(({ holds }) => holds(row));
}

// Numbers by size, then texts by letter, then what is not known; rows alike stay as they are.
function compare(name) {
  const rank = (cell) => (cell === null ? 2 : typeof cell === "string" ? 1 : 0);
  return (a, b) => {
    const [first, second] = [value(a, name), value(b, name)];
    const kinds = rank(first) - rank(second);
    if (kinds || first === null) return kinds;
    const order =
      typeof first === "string" ? first.localeCompare(second, undefined, { numeric: true }) : first - second;
    return listing.down ? -order : order;
  };
}

// In the order of the trials' numbers, whatever kind they are.
const byNumber = [...Array(rowCount).keys()].sort(
  (a, b) => value(a, "trial") - value(b, "trial") || a - b,
);
const placeOf = new Map(byNumber.map((row, place) => [row, place]));

function list() {
  const rows = byNumber.filter(matches);
  if (listing.sort === "label") rows.sort((a, b) => (listing.down ? -1 : 1) * (placeOf.get(a) - placeOf.get(b)));
  else rows.sort(compare(listing.sort));
  listing.rows = rows;
  listing.page = Math.min(listing.page, Math.max(0, Math.ceil(rows.length / ROWS_A_PAGE) - 1));
  drawTable();
}

const shownColumns = table.names.filter((name) => !["trial", "step"].includes(name));

function headerCell(name) {
  const sorted = listing.sort === name;
  const order = sorted ? (listing.down ? "descending" : "ascending") : "none";
  const sort = () => {
    listing.down = listing.sort === name && !listing.down;
    listing.sort = name;
    listing.page = 0;
    list();
    document.querySelector(`#trials-table th[data-name="${CSS.escape(name)}"] button`)?.focus();
  };
  const heading = headingOf(name);
  const button = element("button", { type: "button", title: heading, on: { click: sort } }, shorten(heading, 40));
  const isNumber = table.columns[name].some((cell) => typeof cell === "number");
  return element("th", { scope: "col", "aria-sort": order, "data-name": name, class: isNumber ? "number" : null }, button);
}

function bodyRow(row) {
  const cells = shownColumns.map((name) => {
    const cell = value(row, name);
    const said = show(name, cell);
    if (name === "label") {
      const pick = element(
        "button",
        {
          type: "button",
          class: "pick",
          "aria-pressed": String(selected.has(row)),
          "data-row": row,
          on: { click: (event) => toggle(row, { add: event.shiftKey || event.ctrlKey || event.metaKey }) },
        },
        said,
      );
      return element("th", { scope: "row" }, pick);
    }
    const number = typeof cell === "number";
    const full = number ? exact(name, cell) : said.length > 60 ? said : "";
    return element("td", { class: number ? "number" : null, title: full || null }, shorten(said, 60));
  });
  const classes = [
    selected.has(row) ? "selected" : "",
    value(row, "on_front") ? "member" : "",
    row === data.chosen ? "chosen" : "",
  ];
  return element("tr", { class: classes.join(" ").trim() || null }, ...cells);
}

function drawTable() {
  const place = document.getElementById("trials-table");
  const from = listing.page * ROWS_A_PAGE;
  const rows = listing.rows.slice(from, from + ROWS_A_PAGE);
  const head = element("thead", {}, element("tr", {}, ...shownColumns.map(headerCell)));
  const body = element("tbody", {}, ...rows.map(bodyRow));
  const { activeElement } = document;
  const focused = activeElement?.dataset?.row;
  place.replaceChildren(head, body);
  // A row that is no longer listed leaves its focus to the table.
  if (focused !== undefined) (place.querySelector(`[data-row="${focused}"]`) ?? tableRegion()).focus();
  const to = from + rows.length;
  const all = listing.rows.length === rowCount ? "" : `, of ${rowCount} in all`;
  document.getElementById("trials-count").textContent = listing.rows.length
    ? `${from + 1} to ${to} of ${listing.rows.length} rows${all}`
    : rowCount ? `No row is left of ${rowCount}: ${whyNone(listing.terms, byNumber)}` : "No trial has ended yet.";
  tellSelected();
  const [before, after] = ["before", "after"].map((which) => document.getElementById(`trials-${which}`));
  before.disabled = listing.page === 0;
  after.disabled = to >= listing.rows.length;
  if ([before, after].includes(activeElement) && activeElement.disabled) {
    (before.disabled ? (after.disabled ? tableRegion() : after) : before).focus();
  }
}

// What is known of a row that is selected here stands far above.
function tellSelected() {
  const rows = [...selected];
  document.getElementById("trials-selected").hidden = !rows.length;
  const said = rows.length === 1 ? `Trial ${value(rows[0], "label")} is selected.` : `${rows.length} rows are selected.`;
  document.getElementById("trials-selected-words").textContent = said;
}

function showDetails() {
  const home = document.getElementById("details");
  home.scrollIntoView();
  home.focus({ preventScroll: true });
}

// The place in which the table scrolls, which can have the focus.
function tableRegion() {
  return document.getElementById("trials-table").parentElement;
}

// As Python writes it, but that texts a spreadsheet would take for a formula are marked as texts.
function csvCell(cell) {
  if (cell === null) return "";
  if (typeof cell === "boolean") return cell ? "True" : "False";
  const text = typeof cell === "string" && /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// Where CO2e is that of another grid, each row says so: a file goes further than its page.
function asCsv(rows) {
  const names = table.names.filter((name) => name !== "label");
  const [heading, grid] = data.repriced_for ? [["repriced_for"], [data.repriced_for.words]] : [[], []];
  const lines = [[...names, ...heading], ...rows.map((row) => [...names.map((name) => value(row, name)), ...grid])];
  return `${lines.map((line) => line.map(csvCell).join(",")).join("\n")}\n`;
}

function asJson(rows) {
  const names = table.names.filter((name) => name !== "label");
  const records = rows.map((row) => Object.fromEntries(names.map((name) => [name, value(row, name)])));
  const grid = data.repriced_for ? { repriced_for: data.repriced_for.grid } : {};
  return JSON.stringify({ study: data.study, objectives: data.objectives, ...grid, trials: records }, null, 1);
}

function download(text, type, ending) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const name = data.study.replace(/[^\w.-]+/g, "_").slice(0, 80) || "study";
  const link = element("a", { href: url, download: `${name}-trials${data.repriced_for ? "-repriced" : ""}.${ending}` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function startTable() {
  const on = (id, event, act) => document.getElementById(id).addEventListener(event, act);
  const filtered = (change) => (event) => {
    change(event.target);
    listing.page = 0;
    list();
  };
  const states = [...new Set(table.columns.state)];
  const statesMenu = document.getElementById("trials-state");
  statesMenu.append(...states.map((state) => element("option", { value: state }, state)));
  on("trials-filter", "input", filtered((field) => (listing.terms = termsOf(field.value))));
  document.getElementById("trials-filter").placeholder = exampleOfFilter();
  on("trials-state", "change", filtered((field) => (listing.state = field.value)));
  on("trials-only", "change", filtered((field) => (listing.only = field.value)));
  on("trials-before", "click", () => ((listing.page -= 1), drawTable()));
  on("trials-after", "click", () => ((listing.page += 1), drawTable()));
  on("trials-details", "click", showDetails);
  on("trials-csv", "click", () => download(asCsv(listing.rows), "text/csv", "csv"));
  on("trials-json", "click", () => download(asJson(listing.rows), "application/json", "json"));
  onSelection(() => (listing.only === "selected" ? list() : drawTable()));
  list();
}
