// What the filter of the table is asked for: terms, divided by commas, all of which are to hold. A
// term is a text that stands in a row, or a column, a sign, and what the column's value is to be.

const SIGNS = {
  "<=": (cell, asked) => cell <= asked,
  ">=": (cell, asked) => cell >= asked,
  "!=": null,
  "<": (cell, asked) => cell < asked,
  ">": (cell, asked) => cell > asked,
  "=": null,
};

// Other ways to write a sign.
const MEANT = { "\u2264": "<=", "\u2265": ">=", "\u2260": "!=", "==": "=", "=>": ">=", "=<": "<=" };

// Alike however it is typed: small or capital letters, both micro signs, both minus signs.
function typed(text) {
  return text.toLowerCase().replace(/[\u00b5\u03bc]/g, "u").replace(/\u2212/g, "-").trim();
}

function namesOf(name) {
  return [headingOf(name), name, name.replace(/^param_/, "")];
}

// Columns by what they are called, on the page or in its files; the longest names first.
const columnsByName = (() => {
  const found = new Map();
  for (const name of table.names) {
    for (const called of new Set(namesOf(name).map(typed))) {
      if (called) found.set(called, [...(found.get(called) ?? []), name]);
    }
  }
  return [...found].sort(([a], [b]) => b.length - a.length);
})();

// A comma between two digits ends no term: it is part of a number, as some write it.
function termsOf(text) {
  const parts = text.match(/(?:"[^"]*"|\d,(?=\d)|[^,])+/g) ?? [];
  return parts.map((part) => part.trim()).filter(Boolean).map(termOf);
}

// One term: whether it holds of a row, and why it holds of none where it cannot.
function termOf(text) {
  const asked = comparisonIn(text);
  if (!asked) {
    const sought = typed(unquoted(text));
    return { text, holds: (row) => table.names.some((name) => isIn(sought, row, name)), why: whyNoText(text) };
  }
  const { columns, sign, sought } = asked;
  // Nobody has typed yet what it is to be.
  if (!sought) return { text, holds: () => true, why: "" };
  if (!SIGNS[sign]) {
    const isSo = (row) => columns.some((name) => isEqual(sought, row, name));
    const known = (row) => columns.some((name) => value(row, name) !== null);
    return { text, holds: sign === "=" ? isSo : (row) => known(row) && !isSo(row), why: "" };
  }
  const numbers = columns.map((name) => [name, numberIn(sought, name)]);
  return {
    text,
    holds: (row) => numbers.some(([name, number]) => number !== null && SIGNS[sign](amount(row, name), number)),
    why: numbers.every(([, number]) => number === null) ? whyNoNumber(sought, columns[0]) : "",
  };
}

function comparisonIn(asked) {
  if (/^"[^"]*"$/.test(asked)) return null;
  const plain = asked.replace(/^"([^"]*)"/, "$1");
  const text = plain.replace(/[\u2264\u2265\u2260]|==|=>|=</, (sign) => MEANT[sign]);
  for (const [called, columns] of columnsByName) {
    if (typed(text.slice(0, called.length)) !== called) continue;
    const rest = text.slice(called.length).trimStart();
    const sign = Object.keys(SIGNS).find((one) => rest.startsWith(one));
    if (!sign) continue;
    const said = text.slice(0, called.length);
    const exact = columns.filter((name) => namesOf(name).includes(said));
    return { columns: exact.length ? exact : columns, sign, sought: unquoted(rest.slice(sign.length).trim()) };
  }
  return null;
}

function unquoted(text) {
  return text.replace(/^"(.*)"$/, "$1");
}

function isIn(sought, row, name) {
  const cell = value(row, name);
  return cell !== null && typed(`${show(name, cell)} ${cell}`).includes(sought);
}

// As it is shown, as it is in the data, or another way to write the number that is shown.
function isEqual(sought, row, name) {
  const cell = value(row, name);
  if (cell === null) return false;
  if (typeof cell === "boolean" && typed(sought) === (cell ? "yes" : "no")) return true;
  const shown = show(name, cell);
  if ([shown, String(cell)].some((one) => typed(one) === typed(sought))) return true;
  const number = typeof cell === "number" ? numberIn(sought, name) : null;
  if (number === null) return false;
  // More digits than are shown are meant as they are.
  const rounded = numberIn(show(name, number), name);
  return cell === number || (Math.abs(rounded - number) <= 1e-12 * Math.abs(number) && show(name, number) === shown);
}

// The number of a cell to be compared, NaN where it is none: whole numbers may be texts of digits.
function amount(row, name) {
  const cell = value(row, name);
  return typeof cell === "number" ? cell : typeof cell === "string" && cell.trim() ? Number(cell) : NaN;
}

// The factors of the units in which a column is shown, by their signs.
function unitsOf(name) {
  const quantity = quantityOf(name);
  if (!quantity) return {};
  if (quantity.show === percent) return { "%": 0.01 };
  if (quantity.show === duration) return { us: 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600 };
  const steps = UNITS[quantity.units]?.steps ?? [];
  return Object.fromEntries(steps.map(([step, unit]) => [unit.replace("\u00b5", "u"), 10 ** step]));
}

const LASTING = /^(\d+) *(h|min) *(\d+) *(min|s)$/;
const NUMBER = /^([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(.*)$/i;

// A number with one of the column's units, or in the unit of the data; null where it is neither.
function numberIn(text, name) {
  const plain = text.replace(/\u2212/g, "-").replace(/[\u00b5\u03bc]/g, "u").trim();
  const units = unitsOf(name);
  const lasting = LASTING.exec(plain);
  if (lasting && units.min) return lasting[1] * units[lasting[2]] + lasting[3] * units[lasting[4]];
  const found = NUMBER.exec(plain);
  if (!found) return null;
  const [, digits, unit] = found;
  if (!unit) return Number(digits);
  return Object.hasOwn(units, unit) ? Number(digits) * units[unit] : null;
}

function whyNoNumber(sought, name) {
  const units = Object.keys(unitsOf(name)).map((unit) => unit.replace(/^u/, "\u00b5"));
  if (/\d,\d/.test(sought)) return `\u201c${sought}\u201d has a comma: write 1000 or 0.5.`;
  const orUnit = units.length ? ` (units: ${units.join(", ")})` : "";
  return `\u201c${sought}\u201d is no number of ${shorten(headingOf(name), 40)}${orUnit}.`;
}

function whyNoText(text) {
  if (text.startsWith('"')) return "";
  const called = typed(text);
  if (columnsByName.some(([one]) => one === called)) {
    return `\u201c${text}\u201d is a column: say what it is to be, as in ${text}=1.`;
  }
  const [, name] = /^([^<>=!]+)(?:[<>=]|!=)/.exec(text) ?? [];
  return name ? `no column is called \u201c${name.trim()}\u201d.` : "";
}

// Why terms hold of no row, all of them together.
function whyNone(terms, rows) {
  const sole = terms.length === 1 && !listing.state && !listing.only;
  const alone = sole ? terms[0] : terms.find(({ holds }) => !rows.some(holds));
  if (!alone) return "take a filter away.";
  return shorten(visible(alone.why || `none has \u201c${alone.text}\u201d.`), 200);
}

// Terms that a reader could ask for in this study.
function exampleOfFilter() {
  const names = [...data.params.map((name) => `param_${name}`), ...data.objectives];
  for (const name of names) {
    const known = (table.columns[name] ?? []).filter((cell) => typeof cell === "number").sort((a, b) => a - b);
    const heading = headingOf(name);
    if (known.length && /^[\w .-]{1,20}$/.test(heading)) {
      return `${heading}>=${show(name, known[Math.floor(known.length / 2)])}, complete`;
    }
  }
  return "pruned";
}
