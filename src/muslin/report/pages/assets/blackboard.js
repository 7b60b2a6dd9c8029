// The blackboard: one step of a small network, matrix by matrix. What is computed is what engine.js computes, in its order;
// between two stages a number that was edited takes the place of the one that came out.

const given = JSON.parse($("given").textContent);
const MOST = given.most; // units of a layer, samples of a batch, layers

// Settings: texts, as the address has them

let settings = address.read(given.settings);

const wholeNumbers = (text) => String(text).split(",").map(Number);
const sizesOf = (text) => {
  const sizes = wholeNumbers(text);
  const fine =
    sizes.length >= 2 &&
    sizes.length <= MOST.layers + 1 &&
    sizes.every((n) => Number.isInteger(n) && n > 0 && n <= MOST.units);
  return fine ? sizes : null;
};
// What is wrong with the settings, in a sentence; "" where they are right.
function complaint(s) {
  const unknown = nameComplaint(s);
  if (unknown) return unknown;
  const sizes = sizesOf(s.sizes);
  if (!sizes)
    return `Sizes are whole numbers from 1 to ${MOST.units}, two to ${MOST.layers + 1} of them, such as 3,4,2.`;
  if (s.data !== "numbers" && s.data !== "own" && !Object.hasOwn(TOY_DATA, s.data))
    return `There are no data “${s.data}” in this page.`;
  if (s.data === "own" && !given.own) return "This page holds no data of its own.";
  const [inputs, classes] = s.data === "own" ? [given.own.inputs, given.own.classes] : [2, 2];
  if (s.data !== "numbers" && (sizes[0] !== inputs || sizes.at(-1) !== classes)) {
    return `These data have ${inputs} inputs and ${classes} classes; sizes must begin with ${inputs} and end with ${classes}.`;
  }
  if (sizes.at(-1) < 2) return "The last of the sizes is the number of classes: 2 or more.";
  const most = s.data === "own" ? Math.min(MOST.batch, given.own.y.length) : MOST.batch;
  if (!Number.isInteger(within(s.batch, 1, most))) return `The batch is 1 to ${most} samples.`;
  if (!Number.isInteger(within(s.seed, 0, 2 ** 31 - 1))) return "The seed is a whole number from 0.";
  if (within(s.learning_rate, 0, 1e6) === null) return "The learning rate is a number from 0.";
  if (within(s.weight_decay, 0, 1e6) === null) return "Weight decay is a number from 0.";
  return hyperparameterComplaint(s.optimizer, (name) => s[name]);
}

// The numbers that the step begins with, drawn anew for a seed, with one decimal, so that one can compute with them.

const tenth = (x) => Math.round(10 * x) / 10 + 0; // + 0: there is no −0 on a blackboard

function drawn(s, seed) {
  const sizes = sizesOf(s.sizes),
    B = Number(s.batch),
    classes = sizes.at(-1),
    rng = new Random(seed, 1);
  const net = new Network({ sizes, activation: s.activation, loss: s.loss });
  net.initialize(s.initializer, rng);
  const rows = samples(s, rng, sizes, B),
    X = new Float64Array(sizes[0] * B),
    Y = new Float64Array(classes * B);
  rows.forEach(([x, c], j) => {
    X.set(x, j * sizes[0]);
    Y[c + classes * j] = 1;
  });
  const slots = formulas.optimizers[s.optimizer].slots.map(() => new Float64Array(net.theta.length));
  return { theta: net.theta.map(tenth), X, Y, slots, t: 1 };
}

function samples(s, rng, sizes, B) {
  if (s.data === "own") {
    const rows = rng
      .shuffle(range(given.own.y.length))
      .slice(0, B)
      .sort((a, b) => a - b);
    return rows.map((row) => [given.own.X[row], given.own.y[row]]);
  }
  if (s.data in TOY_DATA) {
    return TOY_DATA[s.data](rng, B, 0).map(([x, y, c]) => [[tenth(x), tenth(y)], c]);
  }
  return range(B).map((j) => [range(sizes[0]).map(() => tenth(rng.uniform(-1, 1))), j % sizes.at(-1)]);
}

// The state of the board: the numbers it begins with, those edited on the way, the stage, the number that is looked at.

let base,
  edits = {},
  board,
  place = 0,
  chosen = null,
  pointed = null;
const STARTS = /^(X|Y|W\d+|b\d+)$/;

function compute() {
  board = new Board(settings, base);
  const put = (key) => Object.entries(edits[key] ?? {}).forEach(([i, x]) => (board.M[key].data[i] = x));
  board.stages.forEach((stage) => {
    stage.run();
    stage.result.forEach(put);
  });
}

const keyAndT = (key) => (key.endsWith("ᵀ") ? [key.slice(0, -1), true] : [key, false]);
const made = () => new Set(board.stages.slice(0, place + 1).flatMap((stage) => stage.result));
const makerOf = (key) => board.stages.findIndex((stage) => stage.result.includes(key));

// Pictures of matrices

function figureOf(key, transposed = false) {
  const m = board.M[key],
    [rows, columns] = transposed ? [m.columns, m.rows] : [m.rows, m.columns];
  const figure = document.createElement("figure"),
    name = `${m.name}${transposed ? "ᵀ" : ""}`;
  figure.className = "matrix";
  figure.dataset.key = key;
  const head = document.createElement("figcaption"),
    label = document.createElement("b"),
    shape = document.createElement("span");
  label.textContent = name;
  shape.textContent = `${rows} × ${columns}${m.note ? `, ${m.note}` : ""}`;
  head.append(label, " ", shape);
  const table = document.createElement("table");
  table.setAttribute("role", "grid");
  table.setAttribute("aria-label", `${name}, ${rows} by ${columns}${m.note ? `, ${m.note}` : ""}`);
  const body = table.createTBody();
  for (let r = 0; r < rows; r++) {
    const line = body.insertRow();
    for (let c = 0; c < columns; c++) {
      const td = line.insertCell(),
        [i, j] = transposed ? [c, r] : [r, c];
      Object.assign(td.dataset, { key, i, j });
      td.setAttribute("role", "gridcell");
      td.tabIndex = r || c ? -1 : 0;
    }
  }
  const box = document.createElement("div");
  box.className = "brackets";
  box.append(table);
  figure.append(head, box);
  return figure;
}

const operator = (text) => Object.assign(document.createElement("span"), { className: "operator", textContent: text });

function layStage() {
  const stage = board.stages[place],
    row = $("row");
  row.replaceChildren(
    ...stage.row.map((item) => {
      if (Array.isArray(item)) {
        const group = document.createElement("span");
        group.className = "argument";
        group.append(figureOf(...keyAndT(item[0])));
        return group;
      }
      const [key, transposed] = keyAndT(item);
      return key in board.M ? figureOf(key, transposed) : operator(item);
    }),
  );
  row
    .querySelectorAll(".matrix")
    .forEach((figure) => figure.classList.toggle("result", stage.result.includes(figure.dataset.key)));
  $("equation").textContent = stage.equation;
  $("place").textContent = `${place + 1} of ${board.stages.length}`;
  $("back").disabled = place === 0;
  $("next").disabled = place === board.stages.length - 1;
  document.querySelectorAll("#stages button").forEach((button, n) => {
    if (n === place) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  });
  const current = document.querySelector("#stages [aria-current]"),
    list = $("stages");
  list.scrollLeft = current.offsetLeft - list.offsetLeft - list.clientWidth / 2;
  layFormula(stage);
}

function layFormula({ formula }) {
  $("formula").hidden = !formula;
  if (!formula) return;
  const [table, name, which] = formula,
    row = formulas[table][name];
  $("formula-name").textContent = name;
  $("python").textContent = row.source[which];
  $("javascript").textContent = String([row.f ?? row.update, row.slope ?? row.delta][which]);
}

// Every matrix of the step, in three parts.
function layBoard() {
  const parts = { forward: ["X"], back: [], update: [] };
  for (const stage of board.stages) {
    const shown =
      stage.part === "update"
        ? stage.row
        : [
            ...stage.row.flat().filter((key) => /^[WbY]/.test(key) && !key.endsWith("ᵀ") && stage.part === "forward"),
            ...stage.result,
          ];
    for (const key of shown) {
      if (key in board.M && !parts[stage.part].includes(key) && !(stage.part === "update" && STARTS.test(key)))
        parts[stage.part].push(key);
    }
  }
  parts.update = parts.update.filter((key) => !key.startsWith("d"));
  for (const [part, keys] of Object.entries(parts))
    $(`all-${part}`).replaceChildren(...keys.map((key) => figureOf(key)));
  $("stages").replaceChildren(
    ...board.stages.map((stage, n) => {
      const button = Object.assign(document.createElement("button"), {
        type: "button",
        textContent: stage.title,
        title: stage.equation,
      });
      button.className = stage.part;
      button.addEventListener("click", () => go(n));
      return button;
    }),
  );
}

// Numbers into the cells, and what there is to see at the one that is looked at.
function refresh(before = null) {
  const known = made(),
    all = $("all").checked;
  const scales = Object.fromEntries(
    Object.entries(board.M).map(([key, m]) => [key, m.data.reduce((a, x) => Math.max(a, Math.abs(x)), 0) || 1]),
  );
  const decimals = Object.fromEntries(Object.entries(board.M).map(([key, m]) => [key, decimalsOf(m)]));
  for (const td of document.querySelectorAll("td[data-key]")) {
    const { key, i, j } = td.dataset,
      m = board.M[key],
      n = Number(i) + m.rows * Number(j),
      x = m.data[n];
    const hidden = !all && makerOf(key) >= 0 && !known.has(key);
    td.textContent = hidden ? "·" : cell(x, decimals[key]);
    td.style.setProperty("--share", hidden || !Number.isFinite(x) ? 0 : Math.abs(x) / scales[key]);
    td.classList.toggle("below", x < 0);
    td.classList.toggle("edited", edits[key]?.[n] !== undefined);
    td.classList.toggle("moved", !hidden && before !== null && before[key] !== undefined && before[key][n] !== x);
  }
  look();
}

const hiddenNow = (key) => !$("all").checked && makerOf(key) >= 0 && !made().has(key);

function look() {
  const seen = pointed ?? chosen ?? { key: board.stages[place].result.at(-1), i: 0, j: 0 };
  const { key, i, j } = seen,
    m = board.M[key],
    maker = makerOf(key);
  document.querySelectorAll("td.from, td.seen").forEach((td) => td.classList.remove("from", "seen"));
  const mark = (name, [k, r, c]) =>
    document
      .querySelectorAll(`td[data-key="${k}"][data-i="${r}"][data-j="${c}"]`)
      .forEach((td) => td.classList.add(name));
  mark("seen", [key, i, j]);
  const title = `${m.name}${m.note === "after" || m.note === "before" ? ` ${m.note}` : ""}, row ${i + 1}, column ${j + 1}`;
  $("which").textContent = title;
  const value = m.data[i + m.rows * j],
    lines = $("arithmetic");
  const changed = edits[key]?.[i + m.rows * j] !== undefined;
  if (hiddenNow(key)) lines.replaceChildren(lineOf("", "not computed yet"));
  else if (maker < 0)
    lines.replaceChildren(
      lineOf("", `${show(value)}: the step begins with this number. Edit it, and all that follows moves.`),
    );
  else if (changed) lines.replaceChildren(lineOf("", `${show(value)}: you put it there.`));
  else {
    const why = board.stages[maker].why(i, j, key);
    why.from.forEach((source) => mark("from", source));
    lines.replaceChildren(
      ...why.lines.map(([name, text]) => lineOf(name, name ? text : `${text} = ${show(value)}`)),
    );
  }
  if (document.activeElement !== $("value")) $("value").value = hiddenNow(key) ? "" : String(value);
  $("value").disabled = hiddenNow(key);
  $("undo").disabled = Object.keys(edits).length === 0;
}

function lineOf(name, text) {
  const line = document.createElement("li");
  if (name) line.append(Object.assign(document.createElement("b"), { textContent: `${name} = ` }));
  line.append(text);
  return line;
}

// Editing

const numbersNow = () => Object.fromEntries(Object.entries(board.M).map(([key, m]) => [key, m.data.slice()]));

function edit({ key, i, j }, x) {
  const before = numbersNow(),
    m = board.M[key],
    n = i + m.rows * j;
  if (makerOf(key) < 0) putAtStart(key, n, x);
  else (edits[key] ??= {})[n] = x;
  compute();
  refresh(before);
}

function putAtStart(key, n, x) {
  if (key === "X") base.X[n] = x;
  else if (key === "Y") base.Y[n] = x;
  else {
    const [name, part] = key.includes(" ") ? key.split(" ") : [null, key];
    const vector = name === null ? base.theta : base.slots[formulas.optimizers[settings.optimizer].slots.indexOf(name)];
    const net = new Network({ sizes: sizesOf(settings.sizes), activation: settings.activation }, vector);
    (part[0] === "W" ? net.W : net.b)[part.slice(1)][n] = x;
  }
  edited = true;
}
let edited = false;

// Where we are

function go(n) {
  place = Math.max(0, Math.min(board.stages.length - 1, n));
  pointed = chosen = null;
  layStage();
  refresh();
}

function startOver(seed = Number(settings.seed)) {
  base = drawn(settings, seed);
  [edits, edited] = [{}, false];
  rebuild(0);
}

function rebuild(n = place) {
  compute();
  pointed = chosen = null;
  layBoard();
  place = Math.min(n, board.stages.length - 1);
  layStage();
  refresh();
  $("turn").textContent = `Step t = ${base.t}`;
}

// The step is done: what came out is what the next one begins with.
function takeStep() {
  base = {
    ...base,
    theta: Float64Array.from(board.after),
    slots: board.slotsAfter.map((x) => Float64Array.from(x)),
    t: base.t + 1,
  };
  edits = {};
  rebuild(0);
}

// Events

const cellOf = (event) => event.target.closest?.("td[data-key]");
const spot = (td) => ({ key: td.dataset.key, i: Number(td.dataset.i), j: Number(td.dataset.j) });

document.addEventListener("pointerover", (event) => {
  const td = cellOf(event);
  const next = td ? spot(td) : null;
  if (JSON.stringify(next) === JSON.stringify(pointed)) return;
  pointed = next;
  look();
});
document.addEventListener("click", (event) => {
  const td = cellOf(event);
  if (!td) return;
  choose(td);
});
document.addEventListener("dblclick", (event) => cellOf(event) && $("value").select());
document.addEventListener("focusin", (event) => {
  const td = cellOf(event);
  if (td) choose(td, false);
});

function choose(td, focus = true) {
  const table = td.closest("table");
  table.querySelectorAll("[tabindex='0']").forEach((other) => (other.tabIndex = -1));
  td.tabIndex = 0;
  chosen = spot(td);
  if (focus) td.focus({ preventScroll: true });
  look();
}

const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function onCellKey(event, td) {
  if (event.key in MOVES) {
    const [down, right] = MOVES[event.key],
      row = td.parentElement;
    const next = row.parentElement.rows[row.rowIndex + down]?.cells[td.cellIndex + right];
    if (next) choose(next);
  } else if (event.key === "Enter" || event.key === "F2") $("value").select();
  else if (/^[\d.−-]$/.test(event.key)) {
    $("value").focus();
    $("value").value = "";
    return; // the key goes into the field
  } else return void onKey(event);
  event.preventDefault();
}

const KEYS = {
  ArrowRight: () => go(place + 1),
  PageDown: () => go(place + 1),
  n: () => go(place + 1),
  " ": () => go(place + 1),
  ArrowLeft: () => go(place - 1),
  PageUp: () => go(place - 1),
  p: () => go(place - 1),
  Home: () => go(0),
  End: () => go(board.stages.length - 1),
  b: () => project(!document.body.classList.contains("projector")),
  a: () => $("all").click(),
  t: takeStep,
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const then = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!then) return;
  event.preventDefault();
  then();
}

document.addEventListener("keydown", (event) => {
  const td = cellOf(event);
  if (td) return onCellKey(event, td);
  if (
    event.target.closest("input, select, textarea, summary") ||
    (event.key === " " && event.target.closest("button"))
  ) {
    if (event.target === $("value")) onValueKey(event);
    return undefined;
  }
  return onKey(event);
});

function onValueKey(event) {
  if (event.key !== "Enter" && event.key !== "Escape") return;
  event.preventDefault();
  if (event.key === "Enter") setValue();
  const { key, i, j } = chosen ?? pointed ?? {};
  document
    .querySelector(
      `#row td[data-key="${key}"][data-i="${i}"][data-j="${j}"], td[data-key="${key}"][data-i="${i}"][data-j="${j}"]`,
    )
    ?.focus();
  look();
}

function setValue() {
  const text = $("value").value.trim().replace("−", "-").replace(",", "."),
    x = Number(text);
  const target = chosen ?? pointed ?? { key: board.stages[place].result.at(-1), i: 0, j: 0 };
  const fine = text !== "" && Number.isFinite(x);
  $("value").setAttribute("aria-invalid", !fine);
  if (fine && x !== board.M[target.key].data[target.i + board.M[target.key].rows * target.j]) edit(target, x);
}
$("value").addEventListener("change", setValue);
$("value").addEventListener("focus", () => {
  pointed = null;
});

$("back").addEventListener("click", () => go(place - 1));
$("next").addEventListener("click", () => go(place + 1));
$("take").addEventListener("click", takeStep);
$("again").addEventListener("click", () => startOver());
$("undo").addEventListener("click", () => {
  const before = numbersNow();
  edits = {};
  compute();
  refresh(before);
});
$("all").addEventListener("change", () => refresh());
$("digits").addEventListener("change", () => refresh());
$("project").addEventListener("click", () => project(!document.body.classList.contains("projector")));

function project(on) {
  document.body.classList.toggle("projector", on);
  $("project").setAttribute("aria-pressed", on);
  if (on) document.documentElement.requestFullscreen?.().catch(() => {});
  else if (document.fullscreenElement) document.exitFullscreen();
  layStage();
  refresh();
}
document.addEventListener("fullscreenchange", () => {
  if (!document.fullscreenElement && document.body.classList.contains("projector")) project(false);
});

// Settings

const FIELDS = [
  "sizes",
  "batch",
  "data",
  "activation",
  "loss",
  "initializer",
  "optimizer",
  "learning_rate",
  "weight_decay",
  "seed",
];
const NEW_NUMBERS = ["sizes", "batch", "data", "initializer", "seed"]; // those that draw the numbers anew
const form = $("settings");

function fillForm() {
  for (const [id, table] of [
    ["activation", "activations"],
    ["loss", "losses"],
    ["initializer", "initializers"],
    ["optimizer", "optimizers"],
  ]) {
    form.elements[id].replaceChildren(...Object.keys(formulas[table]).map((name) => new Option(name, name)));
  }
  const data = ["numbers", ...Object.keys(TOY_DATA), ...(given.own ? ["own"] : [])];
  form.elements.data.replaceChildren(...data.map((name) => new Option(name === "own" ? given.own.name : name, name)));
  showSettings();
}

function showSettings() {
  FIELDS.forEach((name) => (form.elements[name].value = settings[name]));
  $("hyperparameters").replaceChildren(
    ...scalarsOf(settings.optimizer).map(([name, value]) => {
      const label = document.createElement("label"),
        field = document.createElement("input");
      Object.assign(field, { name, value: settings[name] ?? value, inputMode: "decimal", autocomplete: "off" });
      label.append(name, " ", field);
      return label;
    }),
  );
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", (event) => {
  const { name, value } = event.target,
    next = { ...settings, [name]: value.trim() };
  if (name === "data" && value !== "numbers") {
    const [inputs, classes] = value === "own" ? [given.own.inputs, given.own.classes] : [2, 2];
    const sizes = sizesOf(settings.sizes) ?? [inputs, 4, classes];
    next.sizes = [inputs, ...sizes.slice(1, -1), classes].join();
  }
  if (name === "optimizer") for (const [old] of scalarsOf(settings.optimizer)) delete next[old];
  const wrong = complaint(next);
  $("complaint").textContent = wrong;
  event.target.setAttribute("aria-invalid", wrong !== "");
  if (wrong) return;
  settings = next;
  form.querySelectorAll("[aria-invalid]").forEach((field) => field.setAttribute("aria-invalid", false));
  address.write(settings, given.settings);
  if (NEW_NUMBERS.includes(name)) startOver();
  else {
    if (name === "optimizer")
      base.slots = formulas.optimizers[settings.optimizer].slots.map(() => new Float64Array(base.theta.length));
    if (name === "optimizer") base.t = 1;
    edits = {};
    rebuild();
  }
  showSettings();
});

// Worksheets: the numbers of a seed, some of those that follow left blank, and the same page with all of them.

const BLANK = /^(A|H|losses|loss|dA|dW|db|dH|W\d+′|b\d+′)/;

function sheet(number, solved) {
  const kept = [base, board, edits];
  base = edited && number === Number(settings.seed) ? base : drawn(settings, number);
  edits = {};
  compute();
  const page = document.createElement("section"),
    rng = new Random(number, 2),
    share = Number($("share").value) / 100;
  page.className = "sheet";
  page.dataset.number = number;
  page.append(headOf(number, solved), startsOf(), stagesOf(rng, share, solved));
  [base, board, edits] = kept;
  return page;
}

const element = (tag, text, name = "") =>
  Object.assign(document.createElement(tag), { textContent: text, className: name });

function headOf(number, solved) {
  const head = document.createElement("header"),
    own = scalarsOf(settings.optimizer).map(([name, value]) => `${name} ${settings[name] || value}`);
  head.append(
    element("h2", `${solved ? "Solution" : "Worksheet"} ${number}`),
    element("p", solved ? "" : "Name: ______________________________", "name"),
    element(
      "p",
      `${settings.sizes.replaceAll(",", " → ")} units, batch of ${settings.batch}, f = ${settings.activation}, ${settings.loss}; ` +
        `${[settings.optimizer, `learning_rate ${settings.learning_rate}`, ...own, ...(Number(settings.weight_decay) ? [`weight_decay ${settings.weight_decay}`] : [])].join(", ")}. ` +
        "Fill in the empty boxes, from the top; round each number as the others are.",
    ),
  );
  return head;
}

function startsOf() {
  const box = element("div", "", "starts");
  for (const key of Object.keys(board.M).filter((name) => STARTS.test(name))) box.append(printed(key, null));
  return box;
}

function stagesOf(rng, share, solved) {
  const box = element("div", "", "equations");
  for (const stage of board.stages) {
    const item = element("div", "", "stage-line"),
      shown = stage.result.filter((key) => BLANK.test(key));
    item.append(element("p", stage.equation, "equation"));
    shown.forEach((key) => {
      const n = board.M[key].data.length,
        blanks = new Set(range(n).filter(() => rng.random() < share));
      item.append(printed(key, blanks, solved));
    });
    box.append(item);
  }
  const source = formulas.optimizers[settings.optimizer].source[0];
  box.append(element("pre", source.replace(/\s*"""[\s\S]*?"""/, "")));
  return box;
}

function printed(key, blanks, solved) {
  const m = board.M[key],
    figure = figureOf(key),
    decimals = blanks ? Number($("digits").value) : decimalsOf(m);
  figure.querySelectorAll("td").forEach((td) => {
    const n = Number(td.dataset.i) + m.rows * Number(td.dataset.j),
      blank = blanks?.has(n);
    td.textContent = blank && !solved ? "" : cell(m.data[n], decimals);
    td.classList.toggle("blank", Boolean(blank));
    for (const name of ["key", "i", "j"]) delete td.dataset[name];
    td.removeAttribute("tabindex");
    td.removeAttribute("role");
  });
  figure.querySelector("table").removeAttribute("role");
  return figure;
}

function laySheets() {
  const first = Math.max(0, Math.trunc(Number($("first").value)) || 0),
    many = Math.min(100, Math.max(1, Math.trunc(Number($("many").value)) || 1));
  const numbers = range(many).map((n) => first + n);
  const order = $("apart").checked
    ? [...numbers.map((n) => [n, false]), ...numbers.map((n) => [n, true])]
    : numbers.flatMap((n) => [
        [n, false],
        [n, true],
      ]);
  $("sheets").replaceChildren(...order.map(([n, solved]) => sheet(n, solved)));
}
$("print").addEventListener("click", () => {
  laySheets();
  print();
});
addEventListener("beforeprint", laySheets);
addEventListener("afterprint", () => $("sheets").replaceChildren());

// Begin

const wrong = complaint(settings);
if (wrong) {
  $("complaint").textContent = `${wrong} The page shows what it was made with.`;
  settings = { ...given.settings };
}
$("first").value = settings.seed;
fillForm();
startOver();
addEventListener("hashchange", () => {
  const next = address.read(given.settings),
    problem = complaint(next);
  $("complaint").textContent = problem;
  if (problem) return;
  settings = next;
  showSettings();
  startOver();
});
