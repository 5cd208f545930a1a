// Judges periods by what Intl says the zone's clock shows. One period per line of standard input:
//   zone window moment start end offset text        (seconds since 1970; the offset is the zone's at the moment)
// The clock shows the same label at the moment, at the start and at the last second, and others beside the period.
// Exits with 1 and the first disagreements when there are any, or when there was nothing to judge.
import { createInterface } from "node:readline";

const formats = new Map();
function clock(zone, second) {
  if (!formats.has(zone))
    formats.set(zone, new Intl.DateTimeFormat("en-US", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    }));
  const part = Object.fromEntries(formats.get(zone).formatToParts(second * 1000).map(({ type, value }) => [type, value]));
  const shown = Date.UTC(+part.year, +part.month - 1, +part.day, +part.hour, +part.minute, +part.second) / 1000;
  return { ...part, offset: shown - second };
}

function isoWeek({ year, month, day }) {
  const thursday = new Date(Date.UTC(+year, +month - 1, +day));
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7));
  const week = Math.floor((thursday - Date.UTC(thursday.getUTCFullYear(), 0, 1)) / 604800000) + 1;
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, "0")}`;
}

const labels = {
  hour: (part) => `${part.year}-${part.month}-${part.day}T${part.hour} at ${part.offset}`,
  day: (part) => `${part.year}-${part.month}-${part.day}`,
  week: isoWeek,
  month: (part) => `${part.year}-${part.month}`,
};

let judged = 0, wrong = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const [zone, window, moment, start, end, offset, text] = line.split(" ");
  const label = (second) => labels[window](clock(zone, second));
  const expected = label(+moment);
  const shownText = window === "hour" ? `${expected.slice(0, 13)}:${clock(zone, +start).minute}` : expected;
  judged++;
  const isRight = clock(zone, +moment).offset === +offset && label(+start) === expected && label(end - 1) === expected &&
    label(start - 1) !== expected && label(+end) !== expected && (window === "hour" ? text.startsWith(shownText) : text === shownText);
  if (!isRight && ++wrong <= 10)
    console.error(`${line}: ${expected}; from ${label(start - 1)} | ${label(+start)} to ${label(end - 1)} | ${label(+end)}`);
}
process.exitCode = wrong === 0 && judged > 0 ? 0 : 1;
