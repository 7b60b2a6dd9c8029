// Two-dimensional data and one network, or two that race: everything is trained here, with the formulas of the program.

const given = JSON.parse($("given").textContent);

// Settings, as the address has them: of the data, and of each configuration behind "a." and "b."

const CONFIGURATION = {
  layers: "8,8",
  activation: "tanh",
  initializer: "xavier",
  initializer_scale: "1",
  loss: "cross_entropy",
  optimizer: "adam",
  learning_rate: "0.01",
  schedule: "constant",
  warmup: "0",
  weight_decay: "0",
  dropout: "0",
  batch_size: "10",
  clip_norm: "0",
  seed: "0",
};
const DEFAULTS = {
  data: "circles",
  samples: "200",
  noise: "0.05",
  label_noise: "0",
  test: "30",
  data_seed: "0",
  points: "",
  epochs: "300",
  race: "0",
  ...Object.fromEntries(
    ["a", "b"].flatMap((letter) => Object.entries(CONFIGURATION).map(([name, value]) => [`${letter}.${name}`, value])),
  ),
};
let settings = address.read(DEFAULTS);

const ownOf = (s, letter) =>
  Object.fromEntries(
    Object.entries(s)
      .filter(([name]) => name.startsWith(`${letter}.`))
      .map(([name, value]) => [name.slice(2), value]),
  );
const racing = (s) => s.race === "1";
const letters = (s) => (racing(s) ? ["a", "b"] : ["a"]);

// Names of settings, what they may be: [from, to, whole].
const LIMITS = {
  samples: [4, 1000, true],
  noise: [0, 1],
  label_noise: [0, 50],
  test: [0, 80],
  data_seed: [0, 2 ** 31 - 1, true],
  epochs: [1, 100000, true],
};
const OWN_LIMITS = {
  initializer_scale: [0, 1000],
  learning_rate: [0, 1e6],
  warmup: [0, 1e5],
  weight_decay: [0, 1e6],
  dropout: [0, 0.95],
  batch_size: [1, 1000, true],
  clip_norm: [0, 1e9],
  seed: [0, 2 ** 31 - 1, true],
};
const MOST = { layers: 6, units: 16 };

function limitComplaint(s, limits) {
  for (const [name, [low, high, whole]] of Object.entries(limits)) {
    const x = within(s[name], low, high);
    if (x === null || (whole && !Number.isInteger(x))) {
      return `${name} is ${whole ? "a whole number" : "a number"} from ${low} to ${high}.`;
    }
  }
  return "";
}

const layersOf = (text) => {
  const layers =
    String(text).trim() === ""
      ? []
      : String(text)
          .split(",")
          .map((word) => within(word, 1, MOST.units));
  return layers.length <= MOST.layers && layers.every(Number.isInteger) ? layers : null;
};

function configurationComplaint(own, epochs) {
  const wrong = nameComplaint(own) || limitComplaint(own, OWN_LIMITS);
  if (wrong) return wrong;
  if (!layersOf(own.layers))
    return `Layers are up to ${MOST.layers} whole numbers from 1 to ${MOST.units}, such as 8,8.`;
  if (Number(own.warmup) >= epochs) return "Warm-up must be fewer epochs than there are.";
  return hyperparameterComplaint(own.optimizer, (name) => own[name]);
}

function complaint(s) {
  if (s.data !== "own" && !Object.hasOwn(TOY_DATA, s.data)) return `There are no data “${s.data}” in this page.`;
  const wrong = limitComplaint(s, LIMITS);
  if (wrong) return wrong;
  if (s.data === "own" && !pointsOf(s.points))
    return "A point is x y class, from −1 to 1, class 0 or 1; points are separated by semicolons.";
  for (const letter of ["a", "b"]) {
    const own = configurationComplaint(ownOf(s, letter), Number(s.epochs));
    if (own) return `${letter.toUpperCase()}: ${own}`;
  }
  return "";
}

// Data: points [x, y, class], those to train on and those to test on

function pointsOf(text) {
  const points = String(text)
    .split(";")
    .map((word) => word.trim())
    .filter(Boolean)
    .map((word) => word.split(/[\s,]+/).map(Number));
  const fine = points.every(
    (p) => p.length === 3 && p.slice(0, 2).every((x) => Math.abs(x) <= 1.5) && (p[2] === 0 || p[2] === 1),
  );
  return fine ? points : null;
}

function dataOf(s) {
  const rng = new Random(Number(s.data_seed), 3),
    n = Number(s.samples);
  const points = s.data === "own" ? pointsOf(s.points) : TOY_DATA[s.data](rng, n, Number(s.noise));
  const order = s.data === "own" ? range(points.length) : rng.shuffle(range(points.length));
  const testing = s.data === "own" ? 0 : Math.round((points.length * Number(s.test)) / 100);
  const test = order.slice(0, testing).map((i) => points[i]);
  const train = order
    .slice(testing)
    .map((i) => points[i])
    .map(([x, y, c]) => (rng.random() < Number(s.label_noise) / 100 ? [x, y, 1 - c] : [x, y, c]));
  return { train: part(train), test: part(test), points: { train, test } };
}
const part = (points) => ({
  X: Float64Array.from(points.flatMap(([x, y]) => [x, y])),
  y: points.map(([, , c]) => c),
  n: points.length,
});

// A configuration in training

const SIDE = 48,
  REACH = 1.1; // the surface: so many points a side, from −REACH to REACH
const GRID = Float64Array.from(
  range(SIDE * SIDE).flatMap((i) => [
    REACH * ((2 * ((i % SIDE) + 0.5)) / SIDE - 1),
    REACH * (1 - (2 * (Math.floor(i / SIDE) + 0.5)) / SIDE),
  ]),
);

class Racer {
  constructor(own, data, epochs) {
    Object.assign(this, { own, data, epochs, epoch: 0, t: 0, history: [], stride: 1, broken: "" });
    this.sizes = [2, ...layersOf(own.layers), 2];
    this.net = new Network({ sizes: this.sizes, activation: own.activation, loss: own.loss });
    this.net.initialize(own.initializer, new Random(Number(own.seed), 0, 7), Number(own.initializer_scale));
    const hyperparameters = scalarsOf(own.optimizer).map(([name, value]) => [
      name,
      (own[name] ?? "") === "" ? value : Number(own[name]),
    ]);
    this.step = new Step(this.net, data.train.X, data.train.y, {
      optimizer: own.optimizer,
      weight_decay: Number(own.weight_decay),
      dropout: Number(own.dropout),
      clip_norm: Number(own.clip_norm),
      ...Object.fromEntries(hyperparameters),
    });
    this.batch = Math.min(Number(own.batch_size), Math.max(1, data.train.n));
    this.steps = Math.ceil(data.train.n / this.batch);
    this.factor = formulas.helpers.warm_up.f(formulas.schedules[own.schedule].factor, Number(own.warmup));
    this.order = Uint32Array.from(range(data.train.n));
    [this.onTrain, this.onTest] = [data.train, data.test].map(({ n }) => (n ? new Signals(this.sizes, n) : null));
    this.surface = new Signals(this.sizes, SIDE * SIDE);
    this.surface.H[0].set(GRID);
    this.record();
  }
  get done() {
    return this.broken !== "" || this.epoch >= this.epochs || !this.data.train.n;
  }
  // One step; an epoch's order comes from the seed and its number.
  take() {
    if (this.done) return;
    const at = this.t % this.steps,
      seed = Number(this.own.seed);
    if (at === 0) {
      for (let i = 0; i < this.order.length; i++) this.order[i] = i;
      new Random(seed, this.epoch, 1).shuffle(this.order);
      this.rng = new Random(seed, this.epoch, 2);
    }
    const rate = Number(this.own.learning_rate) * this.factor((this.t + 0.5) / this.steps, this.epochs);
    const loss = this.step.take(this.order.subarray(at * this.batch, (at + 1) * this.batch), rate, this.rng);
    this.t += 1;
    if (!Number.isFinite(loss) || !this.net.theta.every(Number.isFinite)) {
      this.broken = `Diverged in epoch ${this.epoch + 1}, step ${this.t}: the numbers are no longer finite.`;
    } else if (at === this.steps - 1) {
      this.epoch += 1;
      if (this.epoch % this.stride === 0) this.record();
    }
  }
  measured(signals, { X, y, n }) {
    if (!n) return { loss: null, accuracy: null };
    const { net } = this,
      Y = new Float64Array(2 * n),
      P = signals.H[net.L];
    signals.H[0].set(X);
    y.forEach((c, j) => (Y[c + 2 * j] = 1));
    net.forward(signals);
    return { loss: net.meanLoss(signals, Y), accuracy: y.filter((c, j) => P[c + 2 * j] > P[1 - c + 2 * j]).length / n };
  }
  record() {
    const train = this.measured(this.onTrain, this.data.train),
      test = this.measured(this.onTest, this.data.test);
    this.history.push({
      epoch: this.epoch,
      loss: train.loss,
      accuracy: train.accuracy,
      test_loss: test.loss,
      test_accuracy: test.accuracy,
    });
    if (this.history.length > 600) {
      this.stride *= 2;
      this.history = this.history.filter(({ epoch }) => epoch % this.stride === 0);
    }
  }
  // After `record`: units whose slope is 0 for every training sample, {k: [whether]}.
  dead() {
    const { net } = this,
      n = this.data.train.n,
      { A, H } = this.onTrain ?? this.surface;
    return Object.fromEntries(
      range(net.L - 1).map((l) => {
        const k = l + 1,
          size = net.sizes[k];
        return [
          k,
          range(size).map(
            (i) => n > 0 && range(n).every((j) => net.slope(A[k][i + size * j], H[k][i + size * j]) === 0),
          ),
        ];
      }),
    );
  }
  gradientNorms() {
    return range(this.net.L).map((l) => Math.sqrt(this.net.dW[l + 1].reduce((sum, g) => sum + g * g, 0)));
  }
}

// Painting

const tones = {};
function readTones() {
  const probe = document.body.appendChild(document.createElement("span"));
  for (const name of ["plus", "minus", "zero", "ink", "line", "grey", "card", "first", "second"]) {
    probe.style.color = `var(--${name})`;
    tones[name] = getComputedStyle(probe)
      .color.match(/[\d.]+/g)
      .slice(0, 3)
      .map(Number);
  }
  probe.remove();
}
const rgb = (tone) => `rgb(${tone.join()})`;

// Numbers from −1 to 1 on a canvas, one a pixel.
function paint(canvas, value, strength = 1) {
  const context = canvas.getContext("2d"),
    picture = context.createImageData(SIDE, SIDE),
    { plus, minus, zero } = tones;
  for (let p = 0; p < SIDE * SIDE; p++) {
    const x = value(p),
      tone = x < 0 ? minus : plus,
      share = strength * Math.min(1, Math.abs(x)) || 0;
    for (let c = 0; c < 3; c++) picture.data[4 * p + c] = zero[c] + share * (tone[c] - zero[c]);
    picture.data[4 * p + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
}

const small = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });

// The surface of a unit (k, i), or of the answer, with the points on it.
function paintSurface(canvas, racer, unit) {
  const size = Math.round(canvas.clientWidth * devicePixelRatio) || 1;
  if (canvas.width !== size) [canvas.width, canvas.height] = [size, size];
  paint(small, unit ? unitValue(racer, unit.k, unit.i) : (p) => 2 * racer.surface.H[racer.net.L][2 * p + 1] - 1, 0.5);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, size, size);
  const place = (x) => ((x / REACH + 1) / 2) * size,
    r = size / 75;
  for (const [name, points] of Object.entries(racer.data.points)) {
    for (const [x, y, c] of points)
      mark(context, place(x), place(-y), c, name === "test" ? r * 0.72 : r, name === "test");
  }
}

// Class 1 is a disc, class 0 a square; test points are hollow.
function mark(context, x, y, c, r, hollow) {
  context.beginPath();
  if (c) context.arc(x, y, r, 0, 2 * Math.PI);
  else context.rect(x - 0.88 * r, y - 0.88 * r, 1.76 * r, 1.76 * r);
  context.fillStyle = rgb(c ? tones.plus : tones.minus);
  context.strokeStyle = hollow ? context.fillStyle : rgb(tones.card);
  context.lineWidth = hollow ? r / 2 : r / 3;
  if (!hollow) context.fill();
  context.stroke();
}

function unitValue(racer, k, i) {
  const size = racer.net.sizes[k],
    H = racer.surface.H[k];
  let scale = 0;
  for (let p = i; p < H.length; p += size) scale = Math.max(scale, Math.abs(H[p]));
  return (p) => H[i + size * p] / (scale || 1);
}

// The panels of the configurations

const racers = {},
  looked = { a: null, b: null };

const panel = (letter) => $(`panel-${letter}`);
const inside = (letter, selector) => panel(letter).querySelector(selector);

function layDiagram(letter) {
  const racer = racers[letter],
    { sizes } = racer.net,
    diagram = inside(letter, ".diagram");
  const columns = sizes.map((n, k) => {
    const column = document.createElement("div"),
      output = k === sizes.length - 1;
    column.className = "layer";
    column.style.setProperty("--units", Math.max(...sizes));
    const title = document.createElement("span");
    title.className = "grey";
    title.textContent = k === 0 ? "X" : output ? "Ŷ" : `H${"⁰¹²³⁴⁵⁶"[k]}`;
    column.append(
      title,
      ...range(n).map((i) => tile(letter, k, i, output)),
      Object.assign(document.createElement("small"), { className: "figures" }),
    );
    return column;
  });
  const edges = document.createElement("canvas");
  edges.className = "edges";
  diagram.replaceChildren(edges, ...columns);
  looked[letter] = null;
}

function tile(letter, k, i, output) {
  const button = document.createElement("button"),
    canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  button.type = "button";
  button.className = "tile";
  button.setAttribute("aria-label", k === 0 ? `input ${i + 1}` : output ? `class ${i}` : `unit ${i + 1} of layer ${k}`);
  const look = (on) => () => {
    looked[letter] = on ? { k, i } : null;
    refresh();
  };
  button.addEventListener("pointerenter", look(true));
  button.addEventListener("pointerleave", look(false));
  button.addEventListener("focus", look(true));
  button.addEventListener("blur", look(false));
  button.append(canvas);
  return button;
}

// Lines between the tiles, as thick as the weights.
function paintEdges(letter) {
  const racer = racers[letter],
    diagram = inside(letter, ".diagram"),
    canvas = diagram.querySelector(".edges");
  const [width, height] = [diagram.scrollWidth, diagram.clientHeight],
    scale = devicePixelRatio;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    [canvas.style.width, canvas.style.height] = [`${width}px`, `${height}px`];
  }
  const context = canvas.getContext("2d"),
    columns = [...diagram.querySelectorAll(".layer")].map((column) => [...column.querySelectorAll(".tile")]);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  for (let k = 1; k <= racer.net.L; k++) {
    const W = racer.net.W[k],
      n = racer.net.sizes[k],
      largest = W.reduce((a, w) => Math.max(a, Math.abs(w)), 0) || 1;
    columns[k - 1].forEach((left, j) =>
      columns[k].forEach((right, i) => {
        const w = W[i + n * j] / largest;
        context.beginPath();
        context.moveTo(left.offsetLeft + left.offsetWidth, left.offsetTop + left.offsetHeight / 2);
        context.lineTo(right.offsetLeft, right.offsetTop + right.offsetHeight / 2);
        context.lineWidth = 0.3 + 2.2 * Math.abs(w);
        context.strokeStyle = rgb(w < 0 ? tones.minus : tones.plus);
        context.globalAlpha = 0.15 + 0.75 * Math.abs(w);
        context.stroke();
      }),
    );
  }
}

function paintPanel(letter) {
  const racer = racers[letter],
    { net } = racer;
  net.forward(racer.surface);
  paintSurface(inside(letter, ".surface"), racer, looked[letter]);
  const dead = racer.dead(),
    norms = racer.gradientNorms();
  inside(letter, ".diagram")
    .querySelectorAll(".layer")
    .forEach((column, k) => {
      column.querySelectorAll(".tile").forEach((button, i) => {
        paint(button.firstChild, unitValue(racer, k, i));
        button.classList.toggle("dead", Boolean(dead[k]?.[i]));
      });
      const gone = (dead[k] ?? []).filter(Boolean).length;
      column.querySelector(".figures").textContent =
        k === 0
          ? "‖dW‖"
          : `${norms[k - 1] ? norms[k - 1].toExponential(0).replace("-", "−") : "0"}${gone ? `\n${gone} dead` : ""}`;
    });
  paintEdges(letter);
  const last = racer.history.at(-1),
    unit = looked[letter];
  inside(letter, ".says").textContent =
    racer.broken || (racer.data.train.n ? figuresOf(last) : "No points yet: click on the surface.");
  inside(letter, ".what").textContent = !unit
    ? "The answer"
    : unit.k === 0
      ? `Input x${"₁₂"[unit.i]}`
      : unit.k === net.L
        ? `Probability of class ${unit.i}`
        : `Unit ${unit.i + 1} of layer ${unit.k}`;
}

const percent = (x) => `${(100 * x).toFixed(x === 1 ? 0 : 1)} %`;
function figuresOf({ epoch, loss, accuracy, test_loss, test_accuracy }) {
  const test = test_loss === null ? "" : `; test ${shortened(test_loss)}, ${percent(test_accuracy)}`;
  return `epoch ${epoch}: loss ${shortened(loss)}, ${percent(accuracy)} right${test}`;
}
const shortened = (x) => (x >= 0.001 || x === 0 ? x.toFixed(3) : x.toExponential(1).replace("-", "−"));

// Curves: of each configuration, training solid and test dashed

function paintCurve(canvas, key, { log, low, high, text }) {
  const scale = devicePixelRatio,
    width = canvas.clientWidth,
    height = canvas.clientHeight;
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  const lines = letters(settings)
    .flatMap((letter) => [
      [letter, key, []],
      [letter, `test_${key}`, [5, 4]],
    ])
    .map(([letter, name, dash]) => ({
      dash,
      tone: letter === "a" ? tones.first : tones.second,
      points: racers[letter].history
        .filter((row) => row[name] !== null && Number.isFinite(row[name]))
        .map((row) => [row.epoch, row[name]]),
    }))
    .filter(({ points }) => points.length);
  const values = lines.flatMap(({ points }) => points.map(([, y]) => y)),
    last = Math.max(1, ...lines.map(({ points }) => points.at(-1)[0]));
  let bottom = low ?? Math.min(...values),
    top = high ?? Math.max(...values);
  if (log) [bottom, top] = [Math.log10(Math.max(bottom, 1e-12)), Math.log10(Math.max(top, 1e-12))];
  if (!(top - bottom > 1e-9)) [bottom, top] = [bottom - 0.5, bottom + 0.5];
  const left = 46,
    right = width - 8,
    ceiling = 8,
    floor = height - 22;
  const px = (x) => left + (x / last) * (right - left);
  const py = (y) =>
    floor - (((log ? Math.log10(Math.max(y, 1e-12)) : y) - bottom) / (top - bottom)) * (floor - ceiling);
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = rgb(tones.grey);
  context.strokeStyle = rgb(tones.line);
  context.lineWidth = 1;
  for (const share of [0, 0.5, 1]) {
    const y = floor - share * (floor - ceiling),
      value = bottom + share * (top - bottom);
    context.beginPath();
    context.moveTo(left, y);
    context.lineTo(right, y);
    context.stroke();
    context.textAlign = "right";
    context.fillText(text(log ? 10 ** value : value), left - 6, y + 4);
  }
  context.textAlign = "center";
  [0, 0.5, 1].forEach((share) =>
    context.fillText(Math.round(share * last), Math.min(px(share * last), right - 10), height - 5),
  );
  context.lineWidth = 2;
  for (const { points, dash, tone } of lines) {
    context.setLineDash(dash);
    context.strokeStyle = rgb(tone);
    context.beginPath();
    points.forEach(([x, y], n) => (n ? context.lineTo(px(x), py(y)) : context.moveTo(px(x), py(y))));
    context.stroke();
  }
  context.setLineDash([]);
}

// Everything is painted once a frame at most.
let waiting = false;
function refresh() {
  if (!waiting) requestAnimationFrame(render);
  waiting = true;
}
function render() {
  waiting = false;
  letters(settings).forEach(paintPanel);
  paintCurve($("loss-curve"), "loss", {
    log: $("log").checked,
    text: (x) => (x >= 0.01 || x === 0 ? x.toFixed(2) : x.toExponential(0)),
  });
  paintCurve($("accuracy-curve"), "accuracy", { low: 0.4, high: 1, text: (x) => `${Math.round(100 * x)} %` });
  const done = letters(settings).every((letter) => racers[letter].done),
    first = racers.a;
  $("progress").textContent =
    `Epoch ${first.epoch} of ${first.epochs}${speed ? `, ${Math.round(speed).toLocaleString("en")} steps a second` : ""}`;
  $("play").textContent = running ? "Pause" : done && first.epoch ? "Done" : "Train";
  $("play").setAttribute("aria-pressed", running);
  $("play").disabled = !running && done;
}

// Training

let running = false,
  speed = 0;

// So many steps of each configuration, in turns, or until the time is over; returns the number.
function train(steps, milliseconds = Infinity) {
  const own = letters(settings).map((letter) => racers[letter]),
    end = performance.now() + milliseconds;
  let n = 0;
  for (; n < steps && own.some((racer) => !racer.done); n++) {
    if ((n & 15) === 0 && performance.now() > end) break;
    for (const racer of own) racer.take();
  }
  return n;
}

function tick() {
  if (!running) return;
  const pace = $("pace").value,
    started = performance.now();
  const n = pace === "full" ? train(1e9, 14) : train(pace === "epoch" ? racers.a.steps : 1);
  const rate = (1000 * n * letters(settings).length) / (performance.now() - started);
  speed = pace !== "full" ? 0 : speed ? 0.95 * speed + 0.05 * rate : rate;
  if (letters(settings).every((letter) => racers[letter].done)) running = false;
  else requestAnimationFrame(tick);
  refresh();
}

function play(on) {
  if (running === on) return;
  running = on;
  if (on) requestAnimationFrame(tick);
  refresh();
}

function once(steps) {
  play(false);
  train(steps);
  letters(settings).forEach((letter) => racers[letter].record());
  refresh();
}

// What the settings say, from the beginning.
function reset() {
  const data = dataOf(settings);
  for (const letter of letters(settings)) {
    racers[letter] = new Racer(ownOf(settings, letter), data, Number(settings.epochs));
    layDiagram(letter);
  }
  speed = 0;
  document.body.classList.toggle("racing", racing(settings));
  panel("b").hidden = !racing(settings);
  refresh();
}

// Forms

const element = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
const title = (name) => name.replaceAll("_", " ").replace(/^./, (c) => c.toUpperCase());
const choice = (name, options, value) => {
  const select = element("select", { name }, ...options.map((text) => new Option(text, text)));
  select.value = value;
  return select;
};
const field = (name, value) => element("input", { name, value, inputMode: "decimal", autocomplete: "off" });
const labelled = (text, control) => element("label", {}, text, " ", control);

function layForm(letter) {
  const own = ownOf(settings, letter),
    named = (name) => `${letter}.${name}`;
  const controls = Object.keys(CONFIGURATION)
    .filter((name) => name !== "layers")
    .map((name) => {
      const table = TABLES[name];
      return labelled(
        title(name),
        table ? choice(named(name), Object.keys(formulas[table]), own[name]) : field(named(name), own[name]),
      );
    });
  const hyper = scalarsOf(own.optimizer).map(([name, value]) => labelled(name, field(named(name), own[name] ?? value)));
  const layers = element(
    "div",
    { className: "layers-field" },
    labelled("Hidden layers", field(named("layers"), own.layers)),
    element("button", {
      type: "button",
      textContent: "+",
      ariaLabel: "Add a layer",
      onclick: () => changeLayers(letter, 1),
    }),
    element("button", {
      type: "button",
      textContent: "−",
      ariaLabel: "Remove a layer",
      onclick: () => changeLayers(letter, -1),
    }),
  );
  const at = Object.keys(CONFIGURATION).indexOf("optimizer"); // hyperparameters follow the optimizer
  inside(letter, "form").replaceChildren(layers, ...controls.slice(0, at), ...hyper, ...controls.slice(at));
}

function changeLayers(letter, by) {
  const layers = layersOf(settings[`${letter}.layers`]) ?? [];
  change({ [`${letter}.layers`]: (by > 0 ? [...layers, layers.at(-1) ?? 8] : layers.slice(0, -1)).join() });
}

function showForms() {
  ["a", "b"].forEach(layForm);
  for (const control of $("data-form").elements) if (control.name in settings) control.value = settings[control.name];
  $("own").hidden = settings.data !== "own";
  $("made").hidden = settings.data === "own";
  $("race").setAttribute("aria-pressed", racing(settings));
}

// Other settings: checked, into the address, and training begins anew.
function change(news) {
  const next = { ...settings, ...news },
    wrong = complaint(next);
  $("complaint").textContent = wrong;
  if (wrong) return false;
  settings = next;
  address.write(settings, DEFAULTS);
  play(false);
  showForms();
  reset();
  return true;
}

function onForm(event) {
  const { name, value } = event.target,
    news = { [name]: value.trim() };
  if (/\.optimizer$/.test(name)) {
    // hyperparameters are the other optimizer's
    for (const [old] of scalarsOf(settings[name])) delete settings[`${name.slice(0, 2)}${old}`];
  }
  if (name === "points")
    news.points = value
      .trim()
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean)
      .join(";");
  const fine = change(news);
  const again = document.getElementsByName(name)[0];
  again?.setAttribute("aria-invalid", !fine);
  again?.focus();
}
for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", onForm);
}

// A click on a surface is a point; points that were made become one's own.
function addPoint(event) {
  const { left, top, width } = event.target.getBoundingClientRect();
  const x = REACH * ((2 * (event.clientX - left)) / width - 1),
    y = REACH * (1 - (2 * (event.clientY - top)) / width);
  const before = settings.data === "own" ? settings.points : "";
  const c = event.shiftKey ? 1 - Number($("class").value) : Number($("class").value);
  change({ data: "own", points: [before, `${x.toFixed(2)} ${y.toFixed(2)} ${c}`].filter(Boolean).join(";") });
}
document.querySelectorAll(".surface").forEach((canvas) => canvas.addEventListener("click", addPoint));

$("play").addEventListener("click", () => play(!running));
$("one").addEventListener("click", () => once(1));
$("epoch").addEventListener("click", () => once(racers.a.steps));
$("reset").addEventListener("click", () => {
  play(false);
  reset();
});
$("race").addEventListener("click", () => change({ race: racing(settings) ? "0" : "1" }));
$("same").addEventListener("click", () =>
  change(Object.fromEntries(Object.entries(ownOf(settings, "a")).map(([name, value]) => [`b.${name}`, value]))),
);
$("undo-point").addEventListener("click", () => change({ points: settings.points.split(";").slice(0, -1).join(";") }));
$("clear-points").addEventListener("click", () => change({ points: "" }));
$("log").addEventListener("change", refresh);
addEventListener("resize", refresh);
document.addEventListener("themechange", () => {
  readTones();
  refresh();
});
document.addEventListener("keydown", (event) => {
  if (
    event.ctrlKey ||
    event.metaKey ||
    event.altKey ||
    event.target.closest("input, select, textarea, button, a, summary")
  )
    return;
  const then = {
    " ": () => play(!running),
    ".": () => once(1),
    e: () => once(racers.a.steps),
    r: () => $("reset").click(),
  }[event.key];
  if (!then) return;
  event.preventDefault();
  then();
});

// The address says what to show; a lesson also begins.
function open_(playing) {
  const next = address.read(DEFAULTS),
    wrong = complaint(next);
  $("complaint").textContent = wrong;
  settings = wrong ? { ...DEFAULTS } : next;
  play(false);
  showForms();
  reset();
  if (playing && !wrong) play(true);
}
let lesson = false;
document.querySelectorAll(".lesson a").forEach((link) =>
  link.addEventListener("click", () => {
    lesson = true;
    if (link.hash === location.hash) dispatchEvent(new Event("hashchange"));
    document.getElementById("top").scrollIntoView();
  }),
);
addEventListener("hashchange", () => {
  open_(lesson);
  lesson = false;
});
readTones();
open_(false);
