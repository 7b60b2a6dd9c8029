// Pictures of any size, as the samples that a network was trained on: muslin/images.py, function by function.
// A picture is what a canvas gives (ImageData), an image is a list of rows of bytes.

// Both round as NumPy does, a half to the even number.
const bytesOf = (numbers, f) => Uint8ClampedArray.from(numbers, f);
const round = (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
const between = (x, low, high) => Math.min(Math.max(x, low), high);
const range = (n) => Array.from({ length: n }, (_, i) => i);
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const largest = (numbers) => Math.max.apply(null, numbers); // much faster than Math.max(...numbers)
const smallest = (numbers) => Math.min.apply(null, numbers);
const transposed = (image) => range(image[0].length).map((x) => bytesOf(image, (row) => row[x]));

// The picture as an image of that shape, light on dark; null if it is blank.
function read(picture, [rows, columns], margin) {
  const image = opaque(picture);
  if (largest(image.map(largest)) - smallest(image.map(smallest)) < 16) return null;
  if (image.length === rows && image[0].length === columns) return lightOnDark(image);
  return framed(ink(image), rows, columns, margin);
}

// Laid on white, or on black if the picture is itself light. Grey is ITU-R 601-2's, as in Pillow.
function opaque({ data, width, height }) {
  const grey = (i) => (19595 * data[i] + 38470 * data[i + 1] + 7471 * data[i + 2] + 32768) >> 16;
  let total = 0, weight = 0;
  for (let i = 0; i < data.length; i += 4) {
    total += grey(i) * (data[i + 3] + 1e-9);
    weight += data[i + 3] + 1e-9;
  }
  const paper = total / weight < 128 ? 255 : 0;
  return range(height).map((y) => {
    const row = new Uint8ClampedArray(width);
    for (let x = 0, i = 4 * y * width; x < width; x++, i += 4) row[x] = paper + (grey(i) - paper) * (data[i + 3] / 255);
    return row;
  });
}

// What most of the border has: the median.
function background(image) {
  const sides = image.slice(1, -1).flatMap((row) => [row[0], row.at(-1)]);
  const border = bytesOf([...image[0], ...image.at(-1), ...sides]).sort(), n = border.length;
  return (border[(n - 1) >> 1] + border[n >> 1]) / 2;
}

// The image, or its negative if its background is light.
function lightOnDark(image) {
  return background(image) > 127 ? image.map((row) => row.map((p) => 255 - p)) : image;
}

// How far each pixel is from the background, as light on black, the farthest white.
function ink(image) {
  const paper = background(image), distance = (p) => Math.abs(p - paper);
  const farthest = Math.max(...[largest, smallest].map((end) => distance(end(image.map(end)))));
  return image.map((row) => row.map((p) => distance(p) * (255 / farthest)));
}

// What is drawn, cut out, scaled to fit and centered by its mass.
function framed(image, rows, columns, margin) {
  const ys = range(image.length).filter((y) => image[y].some((p) => p > 63));
  const xs = range(image[0].length).filter((x) => ys.some((y) => image[y][x] > 63));
  const cut = image.slice(ys[0], ys.at(-1) + 1).map((row) => row.slice(xs[0], xs.at(-1) + 1));
  const scale = Math.min((rows - 2 * margin) / cut.length, (columns - 2 * margin) / cut[0].length);
  const [height, width] = [cut.length, cut[0].length].map((n) => Math.max(1, round(n * scale)));
  const small = resized(cut, height, width);
  const top = between(round((rows - 1) / 2 - center(small)), 0, rows - height);
  const left = between(round((columns - 1) / 2 - center(transposed(small))), 0, columns - width);
  const frame = range(rows).map(() => new Uint8ClampedArray(columns));
  small.forEach((row, y) => frame[top + y].set(row, left));
  return frame;
}

function center(image) {
  const weights = image.map((row) => sum(row) + 1e-9);
  return sum(weights.map((weight, i) => weight * i)) / sum(weights);
}

// Lanczos's filter along the rows, then along the columns, with bytes in between, as in Pillow.
const resized = (image, height, width) => transposed(stretched(transposed(stretched(image, width)), height));
const sinc = (x) => (x ? Math.sin(Math.PI * x) / (Math.PI * x) : 1);
const lanczos = (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0);

function stretched(image, n) {
  const scale = image[0].length / n, wide = Math.max(scale, 1);
  const windows = range(n).map((x) => {
    const middle = (x + 0.5) * scale;
    const first = Math.max(0, Math.trunc(middle - 3 * wide + 0.5));
    const last = Math.min(image[0].length, Math.trunc(middle + 3 * wide + 0.5));
    const weights = range(last - first).map((i) => lanczos((first + i + 0.5 - middle) / wide));
    return { first, weights, total: sum(weights) };
  });
  const pixel = (row, { first, weights, total }) => {
    let value = 0;
    for (let i = 0; i < weights.length; i++) value += weights[i] * row[first + i];
    return value / total;
  };
  return image.map((row) => bytesOf(windows, (window) => pixel(row, window)));
}
