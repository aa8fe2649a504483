// Quantities as a person reads them: the same words as green_optuna/units.py, with a real micro
// sign, which a page can show and a terminal may not.

const UNITS = {
  mass: { base: "kg", steps: [[-12, "ng"], [-9, "µg"], [-6, "mg"], [-3, "g"], [0, "kg"], [3, "t"]] },
  energy: {
    base: "kWh",
    steps: [[-12, "nWh"], [-9, "µWh"], [-6, "mWh"], [-3, "Wh"], [0, "kWh"], [3, "MWh"]],
  },
  power: { base: "W", steps: [[-6, "µW"], [-3, "mW"], [0, "W"], [3, "kW"], [6, "MW"]] },
  latency: { base: "s", steps: [[-9, "ns"], [-6, "µs"], [-3, "ms"], [0, "s"]] },
  bytes: { base: "B", steps: [[0, "B"], [3, "kB"], [6, "MB"], [9, "GB"], [12, "TB"]] },
  count: { base: "", steps: [[3, "k"], [6, "M"], [9, "G"], [12, "T"]] },
};

// What a quantity is, by its name in data; anything else is a plain number or a text. Without a
// prototype, so that a metric may be named "constructor".
const QUANTITIES = {
  __proto__: null,
  quality_loss: { heading: "1 − quality", show: general },
  quality: { heading: "quality", show: general },
  probability: { heading: "probability", show: percent },
  co2e_kg: { heading: "CO2e", units: "mass" },
  energy_kwh: { heading: "energy", units: "energy" },
  n_params: { heading: "parameters", units: "count", show: count },
  power_w: { heading: "power", units: "power" },
  duration_s: { heading: "duration", show: duration, unit: "s" },
  inference_kwh: { heading: "inference energy a sample", units: "energy" },
  inference_s: { heading: "inference time a sample", units: "latency" },
  flops: { heading: "FLOPs a sample", units: "count", show: count },
  peak_memory_bytes: { heading: "peak memory", units: "bytes" },
};

// Of two that are equally near, Python rounds to the even one, and JavaScript to the larger: cut
// `longer`, which is exact, where that makes a difference, and else give `shorter`.
function evenly(shorter, longer, digits) {
  const cut = longer.slice(0, longer.indexOf(".") + 1 + digits);
  const isTie = /^50+$/.test(longer.slice(cut.length));
  return isTie && Number(cut.at(-1)) % 2 === 0 ? cut : shorter;
}

// The mantissa, with so many digits after the point, and the power of ten.
function scientific(value, digits) {
  const [shorter, power] = value.toExponential(digits).split("e");
  const [longer, below] = value.toExponential(digits + 30).split("e");
  const mantissa = evenly(shorter, longer, digits);
  return [mantissa, Number(mantissa === shorter ? power : below)];
}

function whole(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

function general(value, digits = 4) {
  const [mantissa, power] = scientific(value, digits - 1);
  if (power < -4 || power >= digits) {
    const sign = power < 0 ? "-" : "+";
    return `${Number(mantissa)}e${sign}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  return String(Number(`${mantissa}e${power}`));
}

// A probability: 0% and 100% are what is certain.
function percent(value) {
  if (value >= 0.995 && value < 1) return "over 99%";
  if (value > 0 && value < 0.005) return "under 1%";
  return `${whole(100 * value)}%`;
}

function count(value) {
  return Math.abs(value) >= 1000 ? scaled(value, UNITS.count) : general(value, 6);
}

function scaled(value, { base, steps }) {
  if (value === 0) return `0 ${base}`;
  const [mantissa, power] = scientific(value, 2);
  const fitting = steps.filter(([step]) => step <= power);
  const [step, unit] = fitting.length ? fitting[fitting.length - 1] : steps[0];
  const shift = power - step;
  if (shift < -3 || shift > 5) {
    return `${mantissa}e${shift < 0 ? "-" : "+"}${String(Math.abs(shift)).padStart(2, "0")} ${unit}`;
  }
  return `${Number(`${mantissa}e${shift}`).toFixed(Math.max(0, 2 - shift))} ${unit}`;
}

function duration(value) {
  if (value === 0) return "0 s";
  if (value < 0) return `-${duration(-value)}`;
  if (whole(value * 1e6) < 1) return "<1 µs";
  if (whole(value * 1e6) < 1000) return `${whole(value * 1e6)} µs`;
  if (whole(value * 1e3) < 1000) return `${whole(value * 1e3)} ms`;
  const tenths = evenly(value.toFixed(1), value.toFixed(31), 1);
  if (Number(tenths) < 60) return `${tenths} s`;
  const two = (n) => String(n).padStart(2, "0");
  if (whole(value) < 3600) return `${Math.floor(whole(value) / 60)} min ${two(whole(value) % 60)} s`;
  const minutes = whole(value / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

// The quantity that a column holds: the ends of an interval are of its own.
function quantityOf(name) {
  return QUANTITIES[name] ?? QUANTITIES[name.replace(/_(low|high)$/, "")];
}

const HEADINGS = {
  __proto__: null,
  label: "trial",
  state: "ended",
  on_front: "on the front",
  shared: "beside others",
  feasible: "constraints",
};

// What a column is called.
function headingOf(name) {
  if (name.startsWith("param_")) return visible(name.slice("param_".length));
  const end = /_(low|high)$/.exec(name);
  const quantity = quantityOf(name);
  if (quantity && end) return `${quantity.heading}, ${data.confidence ?? "interval"} ${end[1] === "low" ? "from" : "to"}`;
  if (quantity) return quantity.heading;
  return HEADINGS[name] ?? visible(name);
}

// A value of a column in words.
function show(name, value) {
  if (value === null || value === undefined) return "";
  if (name === "on_front" || name === "shared") return value ? "yes" : "";
  if (name === "feasible") return value ? "met" : "violated";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "number") return visible(String(value));
  const quantity = quantityOf(name);
  if (!quantity) return Number.isInteger(value) ? String(value) : general(value);
  return quantity.show ? quantity.show(value) : scaled(value, UNITS[quantity.units]);
}

// The same with nothing rounded, in the unit of the data; nothing where that says no more.
function exact(name, value) {
  if (typeof value !== "number") return "";
  const unit = /_(kg|kwh|w|s|bytes)(_low|_high)?$/.exec(name);
  const units = { kg: " kg", kwh: " kWh", w: " W", s: " s", bytes: " B" };
  // A row of zeros is hard to count.
  const digits = value !== 0 && Math.abs(value) < 1e-4 ? value.toExponential() : String(value);
  const said = `${digits}${unit && !name.startsWith("param_") ? units[unit[1]] : ""}`;
  return said === show(name, value).replace(/\.0+(?= |$)/, "") ? "" : said;
}

// Characters that no eye can see, or that turn the direction of a text, as signs that one can.
function visible(text) {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g, "\ufffd");
}

function shorten(text, most) {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

// Names alike often differ at their ends: paths, versions, numbers.
function shortenMiddle(text, most) {
  const half = Math.floor((most - 1) / 2);
  return text.length <= most ? text : `${text.slice(0, most - 1 - half)}…${text.slice(-half)}`;
}

// The unit in which an axis reads best, and by how much its values are to be multiplied: a linear
// axis in that of its largest value, one of many decades in that of most.
function axisUnit(name, values, share) {
  const quantity = quantityOf(name);
  if (!quantity) return { factor: 1, unit: "" };
  if (!quantity.units) return { factor: 1, unit: quantity.unit ?? "" };
  const sizes = values.filter((value) => value > 0).sort((a, b) => a - b);
  const middle = sizes.length ? sizes[Math.ceil((sizes.length - 1) * share)] : 1;
  const { steps, base } = UNITS[quantity.units];
  const all = quantity.units === "count" ? [[0, ""], ...steps] : steps;
  const fitting = all.filter(([step]) => 10 ** step <= middle);
  const [step, unit] = fitting.length ? fitting[fitting.length - 1] : all[0];
  return { factor: 10 ** -step, unit: unit || base };
}
