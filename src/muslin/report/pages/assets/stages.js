// One step of training, stage by stage: what the blackboard shows. What is computed is what engine.js computes, in its
// order. A matrix is {name, rows, columns, data: its numbers column by column, note}. A stage is
//   {title, part, equation, row: what stands in the equation, result: the matrices that it makes, run(),
//    why(i, j, key): {from: [[matrix, i, j]], lines: [[name, arithmetic]]}, formula: [table, name, which]}

const raised = (k) => `⁽${String(k).replace(/\d/g, (d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d])}⁾`;
const inputOf = (k) => (k === 0 ? "X" : `H${k}`); // the matrix that layer k + 1 is given

class Board {
  constructor(settings, { theta, X, Y, slots, t }) {
    const sizes = sizesOf(settings.sizes),
      batch = Number(settings.batch);
    Object.assign(this, { settings, sizes, batch, t, L: sizes.length - 1, classes: sizes.at(-1), M: {}, stages: [] });
    this.output = `H${this.L}`;
    this.net = new Network({ ...settings, sizes }, Float64Array.from(theta));
    this.signals = new Signals(sizes, batch);
    this.signals.H[0].set(X);
    this.activation = formulas.activations[settings.activation];
    this.add("X", "X", sizes[0], batch, this.signals.H[0], "one column a sample");
    for (let k = 1; k <= this.L; k++) this.forward(k);
    this.add("Y", "Y", this.classes, batch, Float64Array.from(Y), "the targets");
    this.loss();
    for (let k = this.L; k >= 1; k--) this.back(k);
    this.optimizer(slots);
  }

  add(key, name, rows, columns, data, note = "") {
    this.M[key] = { name, rows, columns, data, note };
  }
  stage(title, part, result, equation, row, run, why, formula) {
    this.stages.push({ title, part, result, equation, row, run, why, formula });
  }

  // Numbers as texts
  at(key, i, j) {
    return this.M[key].data[i + this.M[key].rows * j];
  }
  texts(cells, text = show) {
    return cells.map((cell) => text(this.at(...cell)));
  }
  products(pairs) {
    return pairs.map((pair) => this.texts(pair, signed).join("·"));
  }
  column(key, j) {
    return range(this.M[key].rows).map((i) => [key, i, j]);
  }
  line(key, i) {
    return range(this.M[key].columns).map((j) => [key, i, j]);
  }
  // A formula of a column of Ŷ and one of Y.
  ofColumns(name, j) {
    const [Y_hat, Y] = [this.output, "Y"].map((key) => this.texts(this.column(key, j)).join(", "));
    return `${name}(ŷ = (${Y_hat}), y = (${Y}))`;
  }

  forward(k) {
    const { net, signals, batch } = this,
      n = this.sizes[k],
      up = raised(k),
      input = inputOf(k - 1);
    this.add(`W${k}`, `W${up}`, n, this.sizes[k - 1], net.W[k]);
    this.add(`b${k}`, `b${up}`, n, 1, net.b[k]);
    this.add(`A${k}`, `A${up}`, n, batch, signals.A[k]);
    this.add(`H${k}`, k < this.L ? `H${up}` : "Ŷ", n, batch, signals.H[k]);
    const why = (i, j) => {
      const [weights, inputs, bias] = [this.line(`W${k}`, i), this.column(input, j), [`b${k}`, i, 0]];
      const terms = [...this.products(weights.map((w, c) => [w, inputs[c]])), ...this.texts([bias], signed)];
      return { from: [...weights, ...inputs, bias], lines: [["", terms.join(" + ")]] };
    };
    const row = [`A${k}`, "=", `W${k}`, "·", input, "+", `b${k}`];
    const equation = `A${up} = W${up} ${this.M[input].name} + b${up}`;
    this.stage(`A${up}`, "forward", [`A${k}`], equation, row, () => net.affine(signals, k), why);
    if (k < this.L) this.activate(k);
    else this.softmax(k);
  }
  activate(k) {
    const { net, signals, settings } = this,
      up = raised(k),
      A = `A${k}`;
    const why = (i, j) => ({ from: [[A, i, j]], lines: traced(this.activation.lines[0], { a: this.at(A, i, j) }) });
    const equation = `H${up} = f(A${up}),  f = ${settings.activation}`,
      formula = ["activations", settings.activation, 0];
    this.stage(
      `H${up}`,
      "forward",
      [`H${k}`],
      equation,
      [`H${k}`, "= f", [A]],
      () => net.activate(signals, k),
      why,
      formula,
    );
  }
  softmax(k) {
    const A = `A${k}`,
      exp = (cells) =>
        this.texts(cells)
          .map((x) => `exp(${x})`)
          .join(" + ");
    const why = (i, j) => ({
      from: this.column(A, j),
      lines: [["", `${exp([[A, i, j]])} / (${exp(this.column(A, j))})`]],
    });
    const row = [this.output, "= softmax", [A]],
      run = () => this.net.output(this.signals);
    const formula = ["outputs", "log_softmax", 0];
    this.stage("Ŷ", "forward", [this.output], `Ŷ = softmax(A${raised(k)})`, row, run, why, formula);
  }

  loss() {
    const { net, signals, batch, classes, output, M } = this,
      name = this.settings.loss;
    this.add("losses", "ℓ", 1, batch, new Float64Array(batch), "the loss of each sample");
    this.add("loss", "loss", 1, 1, new Float64Array(1));
    const lossOf = (j) => net.loss(classes, classes * j, signals.log_Y_hat, signals.H[this.L], M.Y.data);
    this.stage(
      "ℓ",
      "forward",
      ["losses"],
      `ℓ = ${name} of each column of Ŷ and Y`,
      ["losses", `= ${name}`, [output], ",", ["Y"]],
      () => range(batch).forEach((j) => (M.losses.data[j] = lossOf(j))),
      (i, j) => ({ from: [...this.column(output, j), ...this.column("Y", j)], lines: [["", this.ofColumns(name, j)]] }),
      ["losses", name, 0],
    );
    this.stage(
      "loss",
      "forward",
      ["loss"],
      "loss = mean of ℓ over the batch",
      ["loss", `= 1/${batch} Σ`, "losses"],
      () => (M.loss.data[0] = M.losses.data.reduce((a, b) => a + b) / batch),
      () => {
        const from = this.line("losses", 0);
        return { from, lines: [["", `(${this.texts(from).join(" + ")}) / ${batch}`]] };
      },
    );
  }

  back(k) {
    const { net, signals, batch } = this,
      n = this.sizes[k],
      up = raised(k),
      input = inputOf(k - 1),
      dA = `dA${k}`;
    this.add(dA, `dA${up}`, n, batch, signals.dA[k]);
    if (k === this.L) this.outputDelta(k);
    else this.hiddenDelta(k);
    this.add(`dW${k}`, `dW${up}`, n, this.sizes[k - 1], net.dW[k]);
    this.add(`db${k}`, `db${up}`, n, 1, net.db[k]);
    this.stage(
      `dW${up}`,
      "back",
      [`dW${k}`],
      `dW${up} = dA${up} ${this.M[input].name}ᵀ`,
      [`dW${k}`, "=", dA, "·", `${input}ᵀ`],
      () => net.weightGradient(signals, k),
      (i, j) => this.summed(this.line(dA, i), this.line(input, j)),
    );
    this.stage(
      `db${up}`,
      "back",
      [`db${k}`],
      `db${up} = Σ dA${up} over the batch`,
      [`db${k}`, "= Σ", dA],
      () => net.biasGradient(signals, k),
      (i) => ({ from: this.line(dA, i), lines: [["", this.texts(this.line(dA, i), signed).join(" + ")]] }),
    );
    if (k > 1) this.through(k);
  }
  through(k) {
    const { net, signals, batch } = this,
      up = raised(k),
      under = raised(k - 1),
      dH = `dH${k - 1}`;
    this.add(dH, `dH${under}`, this.sizes[k - 1], batch, signals.dH[k - 1]);
    this.stage(
      `dH${under}`,
      "back",
      [dH],
      `dH${under} = W${up}ᵀ dA${up}`,
      [dH, "=", `W${k}ᵀ`, "·", `dA${k}`],
      () => net.back(signals, k),
      (i, j) => this.summed(this.column(`W${k}`, i), this.column(`dA${k}`, j)),
    );
  }
  summed(left, right) {
    const terms = this.products(left.map((cell, c) => [cell, right[c]]));
    return { from: [...left, ...right], lines: [["", terms.join(" + ")]] };
  }
  outputDelta(k) {
    const { net, signals, batch, output, M } = this,
      name = this.settings.loss,
      up = raised(k);
    const told = formulas.losses[name].lines[1];
    this.stage(
      `dA${up}`,
      "back",
      [`dA${k}`],
      `dA${up} = ∂loss/∂A${up} = 1/B · ${name}_delta(Ŷ, Y)`,
      [`dA${k}`, `= 1/${batch} · delta`, [output], ",", ["Y"]],
      () => net.outputDelta(signals, M.Y.data),
      (i, j) => ({
        from: [...this.column(output, j), ...this.column("Y", j)],
        lines: told
          ? traced(told, { Y_hat: this.at(output, i, j), Y: this.at("Y", i, j) }, ` / ${batch}`)
          : [["", `${this.ofColumns(`${name}_delta`, j)} / ${batch}`]],
      }),
      ["losses", name, 1],
    );
  }
  hiddenDelta(k) {
    const { net, signals, activation } = this,
      up = raised(k);
    const why = (i, j) => {
      const from = [`dH${k}`, `A${k}`, `H${k}`].map((key) => [key, i, j]);
      const [dH, a, h] = from.map((cell) => this.at(...cell)),
        f = activation.slope(a, h);
      const slope = traced(activation.lines[1], { a, h });
      const lines = slope.map(([name, text]) => (name ? [name, text] : ["f′", `${text} = ${show(f)}`]));
      return { from, lines: [...lines, ["", `${show(dH)} · ${show(f)}`]] };
    };
    this.stage(
      `dA${up}`,
      "back",
      [`dA${k}`],
      `dA${up} = dH${up} ∘ f′(A${up})`,
      [`dA${k}`, "=", `dH${k}`, "∘ f′", [`A${k}`]],
      () => net.hiddenDelta(signals, k),
      why,
      ["activations", this.settings.activation, 1],
    );
  }

  optimizer(slots) {
    const { net, settings } = this,
      rule = formulas.optimizers[settings.optimizer];
    const own = scalarsOf(settings.optimizer).map(([name, value]) => [
      name,
      settings[name] ? Number(settings[name]) : value,
    ]);
    const before = slots.map((slot) => Float64Array.from(slot)),
      after = net.theta.slice();
    Object.assign(this, { rule, after, own: Object.fromEntries(own), slotsAfter: before.map((slot) => slot.slice()) });
    const views = [before, this.slotsAfter].map((all) => all.map((slot) => net.views(slot))),
      [W, b] = net.views(after);
    for (let k = 1; k <= this.L; k++) {
      this.update("W", 0, k, W[k], views);
      this.update("b", 1, k, b[k], views);
    }
  }
  // The part of θ that W⁽ᵏ⁾ or b⁽ᵏ⁾ is.
  update(letter, which, k, result, [before, after]) {
    const { rule, net, settings, M } = this,
      key = `${letter}${k}`,
      name = `${letter}${raised(k)}`;
    const { rows, columns } = M[key],
      start = (result.byteOffset - this.after.byteOffset) / 8;
    const decoupled = "weight_decay" in rule.scalars,
      lambda = letter === "W" ? Number(settings.weight_decay) : 0;
    const decay = decoupled ? 0 : lambda,
      [had, has] = ["", "′"].map((mark) => rule.slots.map((slot) => `${slot}${mark} ${key}`));
    rule.slots.forEach((slot, q) => {
      this.add(had[q], `${slot} of ${name}`, rows, columns, before[q][which][k], "before");
      this.add(has[q], `${slot} of ${name}`, rows, columns, after[q][which][k], "after");
    });
    this.add(`${key}′`, name, rows, columns, result, "after");
    const scalars = () => ({
      ...this.own,
      learning_rate: Number(settings.learning_rate),
      t: this.t,
      loss: M.loss.data[0],
      ...(decoupled ? { weight_decay: lambda } : {}),
    });
    const taken = [name, `d${name}${decay ? ` + λ${name}` : ""}`, ...rule.slots].join(", ");
    this.stage(
      `${name} ←`,
      "update",
      [...has, `${key}′`],
      `${[name, ...rule.slots].join(", ")} ← ${settings.optimizer}(${taken}),  t = ${this.t}`,
      [key, `d${key}`, ...had, "→", ...has, `${key}′`],
      () => rule.update(this.after, net.gradient, this.slotsAfter, scalars(), decay, start, start + result.length),
      (i, j) =>
        this.whyUpdate(
          [key, `d${key}`, ...had].map((part) => [part, i, j]),
          decay,
          scalars(),
        ),
      ["optimizers", settings.optimizer, 0],
    );
  }
  whyUpdate(from, decay, scalars) {
    const [theta, slope, ...slots] = from.map((cell) => this.at(...cell)),
      g = slope + decay * theta;
    const held = Object.fromEntries(this.rule.slots.map((slot, q) => [slot, slots[q]]));
    const lines = traced(this.rule.lines[0], { theta, g, ...held, ...scalars }).map(([name, text]) => [
      name || "theta",
      text,
    ]);
    const first = decay ? [["g", `${show(slope)} + ${show(decay)} · ${signed(theta)} = ${show(g)}`]] : [];
    return { from, lines: [...first, ...lines] };
  }
}

// The lines of a formula with their numbers: [[name, arithmetic]], the value of a line with a name at its end.
function traced(lines, env, more = "") {
  if (!lines) return [["", "see the formula below"]];
  const values = { ...env };
  return lines
    .filter(([name, text]) => name !== text)
    .map(([name, text, value]) => {
      const filled = pretty(text)
        .replace(/(?<![\p{L}_\d.])[\p{L}_][\p{L}_\d]*(?![\p{L}_\d(])/gu, (word) =>
          word in values ? signed(values[word]) : word,
        )
        .replace(/\((\(−[^()]*\))\)/g, "$1");
      const result = value(values);
      if (name) values[name] = result;
      return [name, `${more ? `(${filled})` : filled}${more}${name ? ` = ${show(result)}` : ""}`];
    });
}
const pretty = (text) =>
  text
    .replace(/\b(np|math)\./g, "")
    .replace(/ \*\* ?|\*\*/g, "^")
    .replace(/ \* /g, " · ")
    .replace(/ - /g, " − ");

// Numbers

function show(x) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "NaN" : x < 0 ? "−∞" : "∞";
  const digits = Number($("digits").value);
  const tiny = x !== 0 && Math.abs(x) < 0.5 * 10 ** -digits,
    large = Math.abs(x) >= 1e5;
  const text =
    tiny || large
      ? x.toExponential(Math.max(0, digits - 2))
      : x.toFixed(digits).replace(/(\.\d*?[1-9])0+$|\.0+$/, "$1");
  return text.replaceAll("-", "−");
}
// As an operand: with parentheses where it has a sign.
const signed = (x) => (x < 0 ? `(${show(x)})` : show(x));
// In a cell: as many decimals as the others of its matrix have. What rounding left of a zero is one.
function cell(x, decimals) {
  if (Math.abs(x) < 1e-14) x = 0;
  if (!Number.isFinite(x) || Math.abs(x) >= 1e5 || (x !== 0 && Math.abs(x) < 0.5 * 10 ** -decimals)) return show(x);
  return x.toFixed(decimals).replace("-", "−");
}
function decimalsOf({ data }) {
  const digits = Number($("digits").value),
    fits = (d) => data.every((x) => Math.abs(x - Number(x.toFixed(d))) < 1e-12);
  return range(digits).find(fits) ?? digits;
}
