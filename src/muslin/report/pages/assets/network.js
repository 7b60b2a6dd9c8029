// Forward propagation, in the notation of the class. One sample: H and A are columns of numbers.

const ACTIVATIONS = {
  identity: (a) => a,
  sigmoid: (a) => 0.5 * (1 + Math.tanh(0.5 * a)),
  tanh: (a) => Math.tanh(a),
  relu: (a) => Math.max(a, 0),
  leaky_relu: (a) => Math.max(a, 0.01 * a),
  elu: (a) => (a > 0 ? a : Math.expm1(a)),
  gelu: (a) => 0.5 * a * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (a + 0.044715 * a * a * a))),
  silu: (a) => 0.5 * a * (1 + Math.tanh(0.5 * a)),
  sin: (a) => Math.sin(a),
};

// θ holds every W, column by column, then every b. W[k] is (n_k × n_{k−1}), b[k] has n_k numbers.
function network(sizes, activation, theta) {
  const net = { L: sizes.length - 1, sizes, f: ACTIVATIONS[activation], W: {}, b: {} };
  let at = 0;
  const take = (n) => theta.subarray(at, (at += n));
  for (let k = 1; k <= net.L; k++) net.W[k] = take(sizes[k] * sizes[k - 1]);
  for (let k = 1; k <= net.L; k++) net.b[k] = take(sizes[k]);
  return net;
}

// A = W·H + b
function affine(W, H, b) {
  const A = Float64Array.from(b), n = A.length;
  for (let j = 0; j < H.length; j++) for (let i = 0; i < n; i++) A[i] += W[j * n + i] * H[j];
  return A;
}

// exp(a) / Σ exp(a). Subtracting the maximum changes nothing, and no exponent is above 0.
function softmax(A) {
  const largest = A.reduce((a, b) => Math.max(a, b));
  const E = A.map((a) => Math.exp(a - largest));
  const sum = E.reduce((a, b) => a + b);
  return E.map((e) => e / sum);
}

// H⁽⁰⁾ = X
// A⁽ᵏ⁾ = W⁽ᵏ⁾ H⁽ᵏ⁻¹⁾ + b⁽ᵏ⁾,  H⁽ᵏ⁾ = g⁽ᵏ⁾ ∘ f(A⁽ᵏ⁾),  H⁽ᴸ⁾ = softmax(A⁽ᴸ⁾)
// The page's sliders are g: 1 leaves a unit as it is, 0 switches it off.
function forward(net, X, g) {
  const A = {}, H = { 0: X };
  for (let k = 1; k <= net.L; k++) {
    A[k] = affine(net.W[k], H[k - 1], net.b[k]);
    H[k] = k < net.L ? A[k].map((a, i) => g[k][i] * net.f(a)) : softmax(A[k]);
  }
  return { A, H };
}
