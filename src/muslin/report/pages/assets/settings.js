// Settings of a page that has the formulas: what they may be, and how they stand in the address.

const $ = (id) => document.getElementById(id);
const range = (n) => Array.from({ length: n }, (_, i) => i);

// A link is a lesson. Settings are texts; those that are as in `defaults` are left out.
const address = {
  read(defaults) {
    return { ...defaults, ...Object.fromEntries(new URLSearchParams(location.hash.slice(1))) };
  },
  write(settings, defaults) {
    const own = Object.entries(settings).filter(([name, value]) => String(value) !== String(defaults[name] ?? ""));
    history.replaceState(null, "", `#${new URLSearchParams(own)}`);
  },
};

// The number that a text is, if it lies between two others; else null.
function within(text, low, high) {
  const x = Number(text);
  return String(text ?? "").trim() !== "" && x >= low && x <= high ? x : null;
}

const TABLES = {
  activation: "activations",
  loss: "losses",
  optimizer: "optimizers",
  initializer: "initializers",
  schedule: "schedules",
};

// What is wrong with the settings, in a sentence; "" where they are right.
function nameComplaint(s) {
  const wrong = Object.keys(TABLES).find((name) => name in s && !Object.hasOwn(formulas[TABLES[name]], s[name]));
  return wrong ? `There is no ${wrong} “${s[wrong]}” in this page.` : "";
}

// The hyperparameters of an optimizer: [[name, default]].
const scalarsOf = (optimizer) =>
  Object.entries(formulas.optimizers[optimizer].scalars).filter(([, value]) => value !== null);

function hyperparameterComplaint(optimizer, valueOf) {
  for (const [name] of scalarsOf(optimizer)) {
    const text = valueOf(name) ?? "",
      below = /^(beta|momentum)/.test(name),
      value = within(text, 0, 1e12);
    if (text !== "" && (value === null || (below && value >= 1)))
      return `${name} is a number from 0${below ? ", below 1" : ""}.`;
  }
  return "";
}
