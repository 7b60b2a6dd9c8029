// The third engine: the network of muslin/network.py in float64. `formulas` stands before it: the activations, losses,
// optimizers, initializers and schedules, translated from the functions that NumPy runs. Nothing here is a formula.
//
// Matrices lie column by column, as in Python: element (i, j) of an (n × m) one is at i + n·j. Samples are columns.

// Random numbers of the page: sfc32 (C. Doty-Humphrey, PractRand), the same for the same seeds. Not NumPy's.
class Random {
  constructor(...seeds) {
    const [a, b, c] = [0, 1, 2].map((n) => (seeds[n] ?? 0) | 0);
    this.state = [a, b, c, 1];
    for (let i = 0; i < 20; i++) this.random();
  }
  random() {
    const s = this.state;
    const t = (s[0] + s[1] + s[3]) | 0;
    s[3] = (s[3] + 1) | 0;
    s[0] = s[1] ^ (s[1] >>> 9);
    s[1] = (s[2] + (s[2] << 3)) | 0;
    s[2] = (((s[2] << 21) | (s[2] >>> 11)) + t) | 0;
    return (t >>> 0) / 2 ** 32;
  }
  uniform(low = 0, high = 1) {
    return low + (high - low) * this.random();
  }
  // Box & Muller, Annals of Mathematical Statistics 1958.
  standard_normal() {
    return Math.sqrt(-2 * Math.log(1 - this.random())) * Math.cos(2 * Math.PI * this.random());
  }
  normal(mean = 0, deviation = 1) {
    return mean + deviation * this.standard_normal();
  }
  // Fisher & Yates.
  shuffle(array) {
    for (let i = array.length - 1; i > 0; i--) {
      const j = Math.floor(this.random() * (i + 1));
      [array[i], array[j]] = [array[j], array[i]];
    }
    return array;
  }
}

// The network. θ holds every W, then every b; W[k] (n_k × n_{k−1}) and b[k] (n_k) are views into it.
class Network {
  constructor({ sizes, activation, loss }, theta = new Float64Array(Network.length(sizes))) {
    Object.assign(this, { sizes, L: sizes.length - 1, theta, gradient: new Float64Array(theta.length) });
    this.f = formulas.activations[activation].f;
    this.slope = formulas.activations[activation].slope;
    this.log_output = formulas.outputs.log_softmax.f;
    if (loss) [this.loss, this.delta] = [formulas.losses[loss].f, formulas.losses[loss].delta];
    [this.W, this.b] = this.views(theta);
    [this.dW, this.db] = this.views(this.gradient);
    this.weights = this.b[1].byteOffset / 8 - theta.byteOffset / 8; // as many numbers of θ are weights
  }
  static length(sizes) {
    return sizes.slice(1).reduce((sum, n, k) => sum + n * (sizes[k] + 1), 0);
  }
  views(vector) {
    const W = {},
      b = {};
    let at = 0;
    const take = (n) => vector.subarray(at, (at += n));
    for (let k = 1; k <= this.L; k++) W[k] = take(this.sizes[k] * this.sizes[k - 1]);
    for (let k = 1; k <= this.L; k++) b[k] = take(this.sizes[k]);
    return [W, b];
  }
  initialize(initializer, rng, scale = 1) {
    this.theta.fill(0);
    for (let k = 1; k <= this.L; k++) {
      const [n, m] = [this.sizes[k], this.sizes[k - 1]];
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < m; j++) this.W[k][i + n * j] = formulas.initializers[initializer].draw(rng, n, m) * scale;
      }
    }
  }

  // H⁽⁰⁾ = X,  A⁽ᵏ⁾ = W⁽ᵏ⁾ H⁽ᵏ⁻¹⁾ + b⁽ᵏ⁾,  H⁽ᵏ⁾ = f(A⁽ᵏ⁾),  Ŷ = H⁽ᴸ⁾ = softmax(A⁽ᴸ⁾)
  forward(s) {
    for (let k = 1; k <= this.L; k++) {
      this.affine(s, k);
      if (k < this.L) this.activate(s, k);
      else this.output(s);
    }
  }
  affine(s, k) {
    product(this.W[k], s.inputs[k - 1], s.A[k], this.sizes[k], this.sizes[k - 1], s.batch, this.b[k]);
  }
  activate(s, k) {
    const A = s.A[k],
      H = s.H[k],
      input = s.inputs[k],
      mask = s.masks?.[k],
      f = this.f;
    for (let i = 0; i < A.length; i++) H[i] = f(A[i]);
    if (mask) for (let i = 0; i < A.length; i++) input[i] = H[i] * mask[i];
  }
  output(s) {
    const n = this.sizes[this.L],
      A = s.A[this.L],
      Y_hat = s.H[this.L];
    for (let at = 0; at < A.length; at += n) this.log_output(n, at, A, s.log_Y_hat);
    for (let i = 0; i < A.length; i++) Y_hat[i] = Math.exp(s.log_Y_hat[i]);
  }
  // The mean over the batch, after `forward`.
  meanLoss(s, Y) {
    const n = this.sizes[this.L];
    let total = 0;
    for (let at = 0; at < n * s.batch; at += n) total += this.loss(n, at, s.log_Y_hat, s.H[this.L], Y);
    return total / s.batch;
  }

  // dA⁽ᴸ⁾ = ∂loss/∂A⁽ᴸ⁾;  dW⁽ᵏ⁾ = dA⁽ᵏ⁾ H⁽ᵏ⁻¹⁾ᵀ,  db⁽ᵏ⁾ = Σ dA⁽ᵏ⁾;  dH⁽ᵏ⁻¹⁾ = W⁽ᵏ⁾ᵀ dA⁽ᵏ⁾,  dA⁽ᵏ⁻¹⁾ = dH⁽ᵏ⁻¹⁾ ∘ f′(A⁽ᵏ⁻¹⁾)
  backward(s, Y) {
    this.outputDelta(s, Y);
    for (let k = this.L; k >= 1; k--) {
      this.weightGradient(s, k);
      this.biasGradient(s, k);
      if (k === 1) break;
      this.back(s, k);
      this.hiddenDelta(s, k - 1);
    }
  }
  outputDelta(s, Y) {
    const n = this.sizes[this.L],
      dA = s.dA[this.L];
    for (let at = 0; at < dA.length; at += n) this.delta(n, at, s.H[this.L], Y, dA);
    for (let i = 0; i < dA.length; i++) dA[i] /= s.batch;
  }
  weightGradient(s, k) {
    const n = this.sizes[k],
      m = this.sizes[k - 1],
      dA = s.dA[k],
      H = s.inputs[k - 1],
      dW = this.dW[k],
      B = s.batch;
    for (let i = 0; i < dW.length; i++) dW[i] = 0;
    for (let j = 0; j < B; j++) {
      for (let c = 0; c < m; c++) {
        const h = H[c + m * j],
          to = n * c,
          from = n * j;
        for (let i = 0; i < n; i++) dW[i + to] += dA[i + from] * h;
      }
    }
  }
  biasGradient(s, k) {
    const n = this.sizes[k],
      db = this.db[k],
      dA = s.dA[k];
    for (let i = 0; i < n; i++) db[i] = 0;
    for (let at = 0; at < dA.length; at += n) for (let i = 0; i < n; i++) db[i] += dA[at + i];
  }
  back(s, k) {
    const n = this.sizes[k],
      m = this.sizes[k - 1],
      W = this.W[k],
      dA = s.dA[k],
      dH = s.dH[k - 1],
      B = s.batch;
    for (let j = 0; j < B; j++) {
      for (let c = 0; c < m; c++) {
        const row = n * c,
          column = n * j;
        let sum = 0;
        for (let i = 0; i < n; i++) sum += W[i + row] * dA[i + column];
        dH[c + m * j] = sum;
      }
    }
    const mask = s.masks?.[k - 1];
    if (mask) for (let i = 0; i < dH.length; i++) dH[i] *= mask[i];
  }
  hiddenDelta(s, k) {
    const A = s.A[k],
      H = s.H[k],
      dA = s.dA[k],
      dH = s.dH[k],
      slope = this.slope;
    for (let i = 0; i < A.length; i++) dA[i] = dH[i] * slope(A[i], H[i]);
  }
}

// A = W·H + b.  W: (n × m), H: (m × batch)
function product(W, H, A, n, m, batch, b) {
  for (let j = 0; j < batch; j++) {
    for (let i = 0; i < n; i++) A[i + n * j] = 0;
    for (let c = 0; c < m; c++) {
      const h = H[c + m * j],
        row = n * c,
        column = n * j;
      for (let i = 0; i < n; i++) A[i + column] += W[i + row] * h;
    }
    for (let i = 0; i < n; i++) A[i + n * j] += b[i];
  }
}

// What flows through the network for one batch. inputs[k] is what layer k + 1 is given: H⁽ᵏ⁾, or H⁽ᵏ⁾ ∘ mask⁽ᵏ⁾.
class Signals {
  constructor(sizes, batch, masked = false) {
    const layers = sizes.map((_, k) => k),
      hidden = layers.slice(1, -1);
    const arrays = (own) => Object.fromEntries(own.map((k) => [k, new Float64Array(sizes[k] * batch)]));
    this.batch = batch;
    [this.A, this.H, this.dA, this.dH] = [layers.slice(1), layers, layers.slice(1), hidden].map(arrays);
    this.log_Y_hat = new Float64Array(sizes.at(-1) * batch);
    this.masks = masked ? arrays(hidden) : null;
    this.inputs = { ...this.H, ...(masked ? arrays(hidden) : {}) };
  }
}

// One step of training after another: muslin/training/step.py. A rule that asks for weight_decay gets the plain gradient.
class Step {
  constructor(
    net,
    X,
    y,
    { optimizer, weight_decay = 0, dropout = 0, clip_norm = 0, gains = null, ...hyperparameters },
  ) {
    const rule = formulas.optimizers[optimizer];
    Object.assign(this, { net, X, y, rule, dropout, clip_norm, gains, t: 0, signals: {} });
    this.slots = rule.slots.map(() => new Float64Array(net.theta.length));
    const decoupled = "weight_decay" in rule.scalars;
    const part = (start, stop, decay) => {
      const scalars = { ...rule.scalars, ...hyperparameters, ...(decoupled ? { weight_decay: decay } : {}) };
      return { start, stop, decay: decoupled ? 0 : decay, scalars };
    };
    this.parts = [part(0, net.weights, weight_decay), part(net.weights, net.theta.length, 0)];
  }
  // The batch is the columns `rows` of X, their labels those of y. Returns the mean loss before the step.
  take(rows, learning_rate, rng) {
    const { net } = this,
      { s, Y } = this.gathered(rows);
    if (s.masks) this.drop(s, rng);
    net.forward(s);
    const loss = net.meanLoss(s, Y);
    net.backward(s, Y);
    if (this.clip_norm) this.clip();
    this.t += 1;
    for (const { start, stop, decay, scalars } of this.parts) {
      Object.assign(scalars, { learning_rate, t: this.t, loss });
      this.rule.update(net.theta, net.gradient, this.slots, scalars, decay, start, stop);
    }
    return loss;
  }
  gathered(rows) {
    const { net, X, y } = this,
      n = net.sizes[0],
      classes = net.sizes[net.L];
    const made = (this.signals[rows.length] ??= {
      s: new Signals(net.sizes, rows.length, this.dropout > 0 || this.gains !== null),
      Y: new Float64Array(classes * rows.length),
    });
    made.Y.fill(0);
    for (let j = 0; j < rows.length; j++) {
      const from = rows[j] * n,
        to = j * n;
      for (let i = 0; i < n; i++) made.s.H[0][to + i] = X[from + i];
      made.Y[j * classes + y[rows[j]]] = 1;
    }
    return made;
  }
  // Dropout (Srivastava et al., JMLR 2014, in the inverted form), and gains[k], the factors of the units of layer k.
  drop({ masks }, rng) {
    for (const [k, mask] of Object.entries(masks)) {
      const n = this.net.sizes[k],
        kept = 1 / (1 - this.dropout);
      for (let i = 0; i < mask.length; i++) {
        mask[i] = (this.dropout && rng.random() < this.dropout ? 0 : kept) * (this.gains ? this.gains[k][i % n] : 1);
      }
    }
  }
  clip() {
    const G = this.net.gradient,
      norm = Math.sqrt(G.reduce((sum, g) => sum + g * g, 0));
    if (norm > this.clip_norm) for (let i = 0; i < G.length; i++) G[i] *= this.clip_norm / norm;
  }
}
