// Puts the text of a run between the two markers of a page, so that no figure in the documentation is typed by hand.
import { readFileSync, writeFileSync } from 'node:fs';

export const beginMarker = '<!-- figures: begin (bench/run --write-docs writes what follows) -->';
export const endMarker = '<!-- figures: end -->';

export function writeDocs(path, text) {
  const page = readFileSync(path, 'utf8');
  const [begin, end] = [page.indexOf(beginMarker), page.indexOf(endMarker)];
  if (begin < 0 || end < begin) throw new Error(`${path} lacks the lines "${beginMarker}" and "${endMarker}"`);
  writeFileSync(path, `${page.slice(0, begin + beginMarker.length)}\n${text.trimEnd()}\n${page.slice(end)}`);
  return path;
}
