// Two-dimensional data of two classes: name → (random numbers, how many, noise) → [[x₁, x₂, class]]. Within ±1, or nearly.
const TOY_DATA = {
  circles: (rng, n, noise) =>
    toyPoints(
      n,
      (c) => {
        const r = c ? rng.uniform(0.6, 0.9) : rng.uniform(0, 0.4),
          angle = rng.uniform(0, 2 * Math.PI);
        return [r * Math.cos(angle), r * Math.sin(angle)];
      },
      rng,
      noise,
    ),
  moons: (rng, n, noise) =>
    toyPoints(
      n,
      (c) => {
        const angle = rng.uniform(0, Math.PI);
        return c
          ? [0.3 - 0.6 * Math.cos(angle), 0.15 - 0.6 * Math.sin(angle)]
          : [0.6 * Math.cos(angle) - 0.3, 0.6 * Math.sin(angle) - 0.15];
      },
      rng,
      noise,
    ),
  xor: (rng, n, noise) =>
    toyPoints(
      n,
      (c) => {
        const x = rng.uniform(0.08, 0.9) * (rng.random() < 0.5 ? -1 : 1),
          y = rng.uniform(0.08, 0.9);
        return [x, (c ? -y : y) * Math.sign(x)];
      },
      rng,
      noise,
    ),
  spiral: (rng, n, noise) =>
    toyPoints(
      n,
      (c, share) => {
        const angle = 1.75 * share * 2 * Math.PI + c * Math.PI;
        return [0.9 * share * Math.sin(angle), 0.9 * share * Math.cos(angle)];
      },
      rng,
      noise,
    ),
};

// n points, as many of each class; `place` is given the class and how far along (0 to 1) the point is among its own.
function toyPoints(n, place, rng, noise) {
  return Array.from({ length: n }, (_, s) => {
    const c = s % 2,
      [x, y] = place(c, (Math.floor(s / 2) + 0.5) / Math.ceil(n / 2));
    return [x + noise * rng.standard_normal(), y + noise * rng.standard_normal(), c];
  });
}
