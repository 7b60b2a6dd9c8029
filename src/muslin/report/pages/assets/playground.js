// The playground: a sheet to draw on, the layers as squares, the probabilities as bars, one unit to look into.

const $ = (id) => document.getElementById(id);
const decoded = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;

const given = JSON.parse($("given").textContent);
const [rows, columns] = given.shape;
const theta = Float64Array.from(new Float32Array(decoded(given.theta)));
const net = new Network(given, Float64Array.from(theta));
const hidden = range(net.L - 1).map((k) => k + 1);
const g = Object.fromEntries(hidden.map((k) => [k, new Float64Array(net.sizes[k]).fill(1)]));
const allOn = structuredClone(g);

// What the network makes of a sample; the page's sliders are g: 1 leaves a unit as it is, 0 switches it off.
function forward(net, X, g) {
  const s = new Signals(net.sizes, 1, true);
  s.H[0].set(X);
  Object.entries(s.masks).forEach(([k, mask]) => mask.set(g[k]));
  net.forward(s);
  return { A: s.A, H: s.inputs };
}

// Pixels are 0 … 255 everywhere in the page; this is what they are to the network.
const sampleOf = (pixels) => Float64Array.from(pixels, (p) => given.low + (p / 255) * (given.high - given.low));
const answerTo = (pixels, g) => forward(net, sampleOf(pixels), g).H[net.L];

const best = (P) => P.indexOf(largest(P));
const percent = (p) => `${(100 * p).toFixed(1)}%`;
const signed = (x) => x.toFixed(3).replace("-", "−");

// The samples in the page, each with what the whole network makes of it.
const stored = new (given.samples.bytes ? Uint8Array : Float32Array)(decoded(given.samples.pixels));
const samples = given.samples.labels.map((label, s) => {
  const pixels = stored.subarray(s * rows * columns, (s + 1) * rows * columns);
  return { label, row: given.samples.rows[s], pixels };
});
let strongest;
function askSamples() {
  samples.forEach((sample) => (sample.H = forward(net, sampleOf(sample.pixels), allOn).H));
  strongest = Object.fromEntries(
    hidden.map((k) => [k, largest(samples.map(({ H }) => largest(H[k].map(Math.abs)))) || 1]),
  );
  $("mistake").disabled = !samples.some(isMistake);
}
const isMistake = ({ H, label }) => best(H[net.L]) !== label;

// What is shown: the input {pixels, label}, what the network makes of it, the place among the samples, and unit i of
// layer k.
let input, signals, place = 0, chosen = { k: 1, i: 0 };

// Painting

const probe = document.body.appendChild(document.createElement("span"));
probe.hidden = true;
const tones = {};

function readTones() {
  for (const name of ["plus", "minus", "zero"]) {
    probe.style.color = `var(--${name})`;
    tones[name] = getComputedStyle(probe).color.match(/[\d.]+/g).map(Number);
  }
}

// The color of a number from −1 to 1.
function shade(x) {
  const tone = x < 0 ? tones.minus : tones.plus, share = Math.min(1, Math.abs(x));
  return tones.zero.map((zero, c) => Math.round(zero + share * (tone[c] - zero)));
}
const grey = (p) => [p, p, p];

// Numbers on a canvas, one a pixel.
function paint(canvas, numbers, width, color) {
  const picture = new ImageData(width, Math.ceil(numbers.length / width));
  numbers.forEach((number, i) => picture.data.set([...color(number), 255], 4 * i));
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// Everything is painted once a frame at most, however often the pen moves.
let waiting = false;
function refresh() {
  if (!waiting) requestAnimationFrame(render);
  waiting = true;
}

function render() {
  if (changed) look();
  waiting = false;
  signals = forward(net, sampleOf(input.pixels), g);
  paint($("seen"), input.pixels, columns, grey);
  showProbabilities(signals.H[net.L]);
  hidden.forEach((k) => showLayer(k, signals.H[k]));
  if (hidden.length) showUnit();
}

function showProbabilities(P) {
  const first = best(P), whole = answerTo(input.pixels, allOn);
  document.querySelectorAll("#classes li").forEach((line, c) => {
    line.className = `${c === first ? "first" : ""} ${c === input.label ? "true" : ""}`;
    line.style.setProperty("--p", P[c]);
    line.style.setProperty("--whole", whole[c]);
    line.lastElementChild.textContent = percent(P[c]);
  });
  const [name, verdict] = $("answer").children;
  name.textContent = given.classes[first];
  verdict.textContent = `${percent(P[first])}${verdictOf(first)}`;
}

function verdictOf(first) {
  if (input.label === undefined) return "";
  return input.label === first ? " · right ✓" : ` · wrong, it is: ${given.classes[input.label]}`;
}

// The layers

const unitsOf = (k) => document.querySelector(`[data-layer="${k}"]`).children;
const squaresInRow = (k) => getComputedStyle(unitsOf(k)[0].parentElement).gridTemplateColumns.split(" ").length;

function showLayer(k, H) {
  [...unitsOf(k)].forEach((square, i) => {
    square.style.backgroundColor = `rgb(${shade(H[i] / strongest[k])})`;
    square.classList.toggle("below", H[i] < 0);
  });
}

function showUnit() {
  const { k, i } = chosen, { A, H } = signals;
  $("numbers").textContent = `a = ${signed(A[k][i])}, f(a) = ${signed(net.f(A[k][i]))}, h = ${signed(H[k][i])}`;
  $("gain").value = g[k][i];
  $("factor").textContent = g[k][i].toFixed(2);
  $("switch").setAttribute("aria-pressed", g[k][i] === 0);
  $("effect").textContent = effectOf(k, i);
}

// What becomes of the answer without the unit.
function effectOf(k, i) {
  const kept = g[k][i];
  const [on, off] = [1, 0].map((factor) => {
    g[k][i] = factor;
    return answerTo(input.pixels, g);
  });
  g[k][i] = kept;
  const first = best(on), name = given.classes[first];
  return `Without it, ${name} goes from ${percent(on[first])} to ${percent(off[first])}.`;
}

function choose(k, i, focus = false) {
  const before = unitsOf(chosen.k)[chosen.i], square = unitsOf(k)[i];
  before.setAttribute("aria-selected", false);
  square.setAttribute("aria-selected", true);
  document.querySelectorAll(`[data-layer="${k}"] [tabindex="0"]`).forEach((other) => (other.tabIndex = -1));
  square.tabIndex = 0;
  if (focus) square.focus();
  chosen = { k, i };
  showChoice();
  refresh();
}

function showChoice() {
  const { k, i } = chosen, n = net.sizes[k];
  $("unit-title").textContent = `Unit ${i + 1} of layer ${k}`;
  $("from").textContent = `(${k - 1})`;
  const W = range(net.sizes[k - 1]).map((j) => net.W[k][j * n + i]), scale = largest(W.map(Math.abs)) || 1;
  paint($("weights"), W, k === 1 ? columns : squaresInRow(k - 1), (w) => shade(w / scale));
  $("weights").setAttribute("aria-label", `Incoming weights, from ${signed(smallest(W))} to ${signed(largest(W))}`);
  const order = samples.map((_, s) => s).sort((s, t) => samples[t].H[k][i] - samples[s].H[k][i]);
  $("favorites").replaceChildren(...order.slice(0, 9).map(thumbnail));
}

function thumbnail(s) {
  const button = document.createElement("button"), canvas = document.createElement("canvas");
  button.type = "button";
  button.title = given.classes[samples[s].label];
  button.setAttribute("aria-label", `Show ${button.title}, ${titleOf(samples[s])}`);
  canvas.className = "pixels";
  paint(canvas, samples[s].pixels, columns, grey);
  button.append(canvas);
  button.addEventListener("click", () => showSample(s));
  return button;
}

const STEPS = {
  ArrowLeft: () => -1,
  ArrowRight: () => 1,
  ArrowUp: (k) => -squaresInRow(k),
  ArrowDown: (k) => squaresInRow(k),
  Home: () => -Infinity,
  End: () => Infinity,
};

function onKey(event) {
  const { k, i } = chosen;
  if (event.key in STEPS) choose(k, between(i + STEPS[event.key](k), 0, net.sizes[k] - 1), true);
  else if (event.key === " " || event.key === "Enter") turn(k, i, g[k][i] ? 0 : 1);
  else return;
  event.preventDefault();
}

const squareAt = (event) => event.target.closest("[role=option]");
const indexOf = (square) => [...square.parentElement.children].indexOf(square);

for (const units of document.querySelectorAll(".units")) {
  const k = Number(units.dataset.layer);
  units.firstElementChild.tabIndex = 0;
  units.addEventListener("keydown", onKey);
  units.addEventListener("click", (event) => squareAt(event) && choose(k, indexOf(squareAt(event)), true));
  units.addEventListener("focusin", (event) => {
    const i = indexOf(event.target);
    if (k !== chosen.k || i !== chosen.i) choose(k, i);
  });
  units.addEventListener("pointerover", (event) => {
    const square = squareAt(event);
    if (square) square.title = `Unit ${indexOf(square) + 1}: h = ${signed(signals.H[k][indexOf(square)])}`;
  });
}

// Turning units down

function setGain(k, i, factor) {
  g[k][i] = factor;
  const square = unitsOf(k)[i];
  square.classList.toggle("less", factor < 1);
  square.classList.toggle("off", factor === 0);
  square.setAttribute("aria-label", `unit ${i + 1}${factor < 1 ? `, output × ${factor}` : ""}`);
}

function turn(k, i, factor) {
  setGain(k, i, factor);
  showWorth();
  refresh();
}

const everyUnit = hidden.flatMap((k) => range(net.sizes[k]).map((i) => [k, i]));

function showWorth() {
  const on = everyUnit.filter(([k, i]) => g[k][i] > 0).length, turned = everyUnit.some(([k, i]) => g[k][i] < 1);
  const right = samples.filter(({ pixels, label }) => best(answerTo(pixels, g)) === label).length;
  const whole = samples.filter((sample) => !isMistake(sample)).length;
  document.body.classList.toggle("lesioned", turned);
  $("ghost").hidden = !turned;
  $("reset").disabled = !turned;
  $("worth").textContent =
    `${on} of ${everyUnit.length} hidden units on: ${right} of ${samples.length} ${given.samples.part} images right` +
    (turned ? `, ${whole} with every unit fully on.` : ".");
}

function lesion() {
  const left = everyUnit.filter(([k, i]) => g[k][i] > 0);
  for (let n = 0; n < 10 && left.length; n++) {
    const [[k, i]] = left.splice(Math.floor(Math.random() * left.length), 1);
    setGain(k, i, 0);
  }
  showWorth();
  refresh();
}

function reset() {
  everyUnit.forEach(([k, i]) => setGain(k, i, 1));
  showWorth();
  refresh();
}

if (hidden.length) {
  $("gain").addEventListener("input", () => {
    setGain(chosen.k, chosen.i, Number($("gain").value));
    refresh();
  });
  $("gain").addEventListener("change", showWorth);
  $("switch").addEventListener("click", () => turn(chosen.k, chosen.i, g[chosen.k][chosen.i] ? 0 : 1));
  $("lesion").addEventListener("click", lesion);
  $("reset").addEventListener("click", reset);
  addEventListener("resize", showChoice);
}

// The input: a sample, a picture or a drawing

const enlarged = Math.max(1, Math.round(392 / Math.max(rows, columns)));
const sheet = $("sheet").getContext("2d", { willReadFrequently: true });
[sheet.canvas.width, sheet.canvas.height] = [columns * enlarged, rows * enlarged];
let blank = false; // there is nothing on the sheet but what the pen drew
let changed = false; // the pen drew since the network looked

function show(pixels, source, label) {
  input = { pixels, label };
  changed = false;
  say(source);
  refresh();
}

const titleOf = ({ row }) => `${given.samples.part} image ${row + 1}`;

function showSample(s) {
  place = (s + samples.length) % samples.length;
  const sample = samples[place];
  lay(sample.pixels);
  show(sample.pixels, `${given.classes[sample.label]}: ${titleOf(sample)}`, sample.label);
}

// The pixels on the sheet, enlarged.
function lay(pixels) {
  const small = document.createElement("canvas");
  paint(small, pixels, columns, grey);
  sheet.imageSmoothingEnabled = false;
  sheet.drawImage(small, 0, 0, sheet.canvas.width, sheet.canvas.height);
  blank = false;
}

function clear() {
  sheet.fillRect(0, 0, sheet.canvas.width, sheet.canvas.height);
  blank = true;
  show(new Uint8ClampedArray(rows * columns), "An empty sheet: draw on it.");
}

const wholeSheet = () => sheet.getImageData(0, 0, sheet.canvas.width, sheet.canvas.height);

// What the pen left on the sheet: a drawing is cut out, scaled and centered; a picture keeps its place.
function look() {
  if (!blank) return show(shrunk(wholeSheet()), "The picture with your changes.");
  const image = read(wholeSheet(), given.shape, given.margin);
  if (!image) return clear();
  return show(flat(image), "Your drawing, cut out, scaled and centered as muslin predict does it.");
}

const flat = (image) => bytesOf(image.flatMap((row) => [...row]));

// The mean of each square of the sheet that stands for a pixel.
function shrunk({ data, width }) {
  const means = new Float64Array(rows * columns);
  for (let i = 0; i < data.length / 4; i++) {
    const y = Math.floor(i / width / enlarged), x = Math.floor((i % width) / enlarged);
    means[y * columns + x] += data[4 * i] / enlarged ** 2;
  }
  return bytesOf(means);
}

async function pictureIn(file) {
  const bitmap = await createImageBitmap(file, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
  const page = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  page.drawImage(bitmap, 0, 0);
  return page.getImageData(0, 0, bitmap.width, bitmap.height);
}

const say = (text) => ($("source").textContent = text);

async function openPicture(file) {
  const picture = await pictureIn(file).catch(() => null);
  if (!picture) return say(`${file.name} is not a picture that the browser can read.`);
  const image = read(picture, given.shape, given.margin);
  if (!image) return say(`${file.name} is blank; a picture must show something.`);
  lay(flat(image));
  return show(flat(image), `${file.name}, as muslin predict takes it.`);
}

// The pen. "Draw" begins a drawing of its own, the others change what is there.

const PENS = { draw: { color: "#fff", fresh: true }, add: { color: "#fff" }, erase: { color: "#000" } };
let last = null; // where the pen is, while it is down

const penOf = () => PENS[document.querySelector("[name=pen]:checked").value];

function onSheet({ clientX, clientY }) {
  const { left, top, width } = sheet.canvas.getBoundingClientRect(), scale = sheet.canvas.width / width;
  return [(clientX - left) * scale, (clientY - top) * scale];
}

function press(event) {
  if (event.button) return;
  event.preventDefault();
  sheet.canvas.setPointerCapture(event.pointerId);
  if (penOf().fresh && !blank) clear();
  last = onSheet(event);
  drag(event);
}

function drag(event) {
  if (!last) return;
  const lineWidth = ($("width").value * sheet.canvas.width) / 100;
  Object.assign(sheet, { strokeStyle: penOf().color, lineCap: "round", lineJoin: "round", lineWidth });
  const moves = event.getCoalescedEvents?.() ?? [];
  sheet.beginPath();
  sheet.moveTo(last[0] + 0.01, last[1]); // a line without length would leave no dot
  for (const move of moves.length ? moves : [event]) sheet.lineTo(...(last = onSheet(move)));
  sheet.stroke();
  changed = true;
  refresh();
}

const lift = () => (last = null);

const POINTER = { pointerdown: press, pointermove: drag, pointerup: lift, pointercancel: lift };
Object.entries(POINTER).forEach(([name, then]) => sheet.canvas.addEventListener(name, then));

function nextMistake() {
  const others = range(samples.length).map((n) => (place + 1 + n) % samples.length);
  showSample(others.find((s) => isMistake(samples[s])));
}

$("mistake").addEventListener("click", nextMistake);
$("next").addEventListener("click", () => showSample(place + 1));
$("previous").addEventListener("click", () => showSample(place - 1));
$("clear").addEventListener("click", clear);
$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => $("file").files.length && openPicture($("file").files[0]));

const dropping = (on) => document.body.classList.toggle("dropping", on);
document.addEventListener("paste", ({ clipboardData: { files } }) => files.length && openPicture(files[0]));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  dropping(true);
});
document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget || dropping(false));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  dropping(false);
  const [file] = event.dataTransfer.files;
  if (file) openPicture(file);
  else say("Drop the file of a picture.");
});

document.addEventListener("themechange", () => {
  readTones();
  if (hidden.length) showChoice();
  refresh();
});

// Training on: what was drawn, as examples of a class, and the samples of the page so that it does not forget.

const BATCH = 16; // of the examples, and of the samples, in a step
const examples = []; // [{pixels, label, sheet}]
let step = null, chance = new Random(1), training = 0; // steps that are left

const rightOf = (list) => list.filter(({ pixels, label }) => best(answerTo(pixels, g)) === label).length;

function addExample() {
  if (changed) look();
  examples.push({ pixels: Uint8ClampedArray.from(input.pixels), label: Number($("class").value) });
  showExamples();
}

function showExamples() {
  $("examples").replaceChildren(...examples.map((example, n) => {
    const button = document.createElement("button"), canvas = document.createElement("canvas"), name = given.classes[example.label];
    button.type = "button";
    button.title = `${name}: choose to take it away`;
    button.setAttribute("aria-label", `Example ${n + 1}, ${name}: take it away`);
    canvas.className = "pixels";
    paint(canvas, example.pixels, columns, grey);
    button.append(canvas, name);
    button.addEventListener("click", () => {
      examples.splice(n, 1);
      showExamples();
    });
    return button;
  }));
  $("train").disabled = !examples.length;
}

// The step of the optimizer chosen; its slots are kept from one click to the next.
function stepNow() {
  const pool = [...examples, ...($("mix").checked ? samples : [])], n = net.sizes[0];
  const X = new Float64Array(n * pool.length);
  pool.forEach(({ pixels }, s) => X.set(sampleOf(pixels), s * n));
  const optimizer = $("optimizer").value, fresh = new Step(net, X, pool.map(({ label }) => label), { optimizer, gains: g });
  if (step?.rule === fresh.rule) Object.assign(fresh, { slots: step.slots, t: step.t });
  return fresh;
}

function batch() {
  const own = chance.shuffle(range(examples.length)).slice(0, BATCH), all = step.y.length;
  const others = range(all > examples.length ? BATCH : 0).map(() => examples.length + Math.floor(chance.random() * (all - examples.length)));
  return [...own, ...others];
}

function trainOn() {
  const steps = Number($("steps").value), rate = Number($("rate").value);
  const fine = Number.isInteger(steps) && steps >= 1 && steps <= 10000 && rate > 0 && Number.isFinite(rate);
  if (!fine) return void ($("trained").textContent = "Steps are 1 to 10000, the learning rate a positive number.");
  const before = { examples: rightOf(examples), samples: rightOf(samples) };
  step = stepNow();
  training = steps;
  $("train").disabled = $("as-it-was").disabled = true;
  const frame = () => {
    const end = performance.now() + 40, kept = net.theta.slice();
    do {
      step.take(batch(), rate, chance);
      training -= 1;
    } while (training > 0 && performance.now() < end);
    if (!net.theta.every(Number.isFinite)) {
      net.theta.set(kept.every(Number.isFinite) ? kept : theta);
      step = null;
      training = 0;
      return trainedOn(`The numbers left the finite ones: try a smaller learning rate.`);
    }
    $("trained").textContent = `${training} steps to go`;
    refresh();
    return training > 0 ? requestAnimationFrame(frame) : trainedOn(
      `Examples right: ${before.examples} before, ${rightOf(examples)} of ${examples.length} now. ` +
      `${given.samples.part[0].toUpperCase()}${given.samples.part.slice(1)} images right: ${before.samples} before, ${rightOf(samples)} of ${samples.length} now.`,
    );
  };
  requestAnimationFrame(frame);
}

function trainedOn(text) {
  $("trained").textContent = text;
  $("train").disabled = !examples.length;
  $("as-it-was").disabled = false;
  askSamples();
  if (hidden.length) {
    showChoice();
    showWorth();
  }
  refresh();
}

if (given.loss) {
  $("optimizer").replaceChildren(...Object.keys(formulas.optimizers).map((name) => new Option(name, name)));
  $("optimizer").value = given.optimizer;
  $("class").replaceChildren(...given.classes.map((name, c) => new Option(name, c)));
  $("add").addEventListener("click", addExample);
  $("train").addEventListener("click", trainOn);
  $("as-it-was").addEventListener("click", () => {
    net.theta.set(theta);
    step = null;
    trainedOn("The network is as it was.");
    $("as-it-was").disabled = true;
  });
  showExamples();
  $("as-it-was").disabled = true;
}

readTones();
askSamples();
showSample(0);
if (hidden.length) {
  choose(1, 0);
  showWorth();
}
