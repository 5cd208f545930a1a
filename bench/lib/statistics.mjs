// Figures of several rounds. Ratios are paired: each round's own ratio is taken first, so that what slows a whole round down cancels.

/** Where others used more than this share of a core, a window says little. */
export const disturbedShare = 0.05;

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** { median, least, most } of what combine makes of each round's pair. */
export function paired(first, second, combine) {
  const values = first.slice(0, second.length).map((round, index) => combine(round, second[index]));
  return { median: median(values), least: Math.min(...values), most: Math.max(...values), rounds: values.length };
}

export const ratio = (first, second, read) => paired(first, second, (a, b) => read(a) / read(b));
export const difference = (first, second, read) => paired(first, second, (a, b) => read(a) - read(b));
