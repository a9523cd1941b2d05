// Numbers as people read them, by the unit of a panel.

export const NONE = "–";
const UNITS = {
  per_second: (value) => `${short(value)}/s`,
  per_minute: (value) => `${short(value)}/min`,
  count: short,
  seconds,
  share,
  bytes,
  truth: (value) => (value ? "yes" : "no"),
};

export function format(value, unit) {
  return value === null || value === undefined || !Number.isFinite(value) ? NONE : UNITS[unit](value);
}

export const UNIT_NAMES = {
  per_second: "per second",
  per_minute: "per minute",
  count: "",
  seconds: "seconds",
  share: "percent",
  bytes: "bytes",
};

// 0.25, 9.5, 1,003, 12,345, 1.2 M
function short(value) {
  const size = Math.abs(value);
  if (size >= 1e9) return `${digits(value / 1e9, 1)} G`;
  if (size >= 1e6) return `${digits(value / 1e6, 1)} M`;
  return digits(value, size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2);
}

function digits(value, most) {
  return value.toLocaleString("en-GB", { maximumFractionDigits: most });
}

// 3 ms, 0.25 s, 4 min, 7 h 20 min, 3 d 4 h
function seconds(value) {
  const size = Math.abs(value);
  if (size === 0) return "0 s";
  if (size < 0.1) return `${digits(value * 1000, 0)} ms`;
  if (size < 10) return `${digits(value, 2)} s`;
  if (size < 120) return `${digits(value, 0)} s`;
  if (size < 7200) return `${digits(value / 60, 0)} min`;
  if (size < 172800) return two(value, 3600, "h", 60, "min");
  return two(value, 86400, "d", 3600, "h");
}

function two(value, large, largeName, small, smallName) {
  const whole = Math.floor(value / large);
  const rest = Math.floor((value - whole * large) / small);
  return rest && whole < 10 ? `${whole} ${largeName} ${rest} ${smallName}` : `${whole} ${largeName}`;
}

function share(value) {
  const percent = value * 100;
  return `${digits(percent, percent > 0 && percent < 1 ? 1 : 0)} %`;
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let power = 0;
  while (value >= 1024 && power < units.length - 1) {
    value /= 1024;
    power += 1;
  }
  return `${digits(value, value < 10 ? 1 : 0)} ${units[power]}`;
}

// Of a moment in seconds since 1970: the time of day, with the date where the span is longer than a day.
export function moment(at, long) {
  const date = new Date(at * 1000);
  const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return long ? `${date.toLocaleDateString("en-GB", { weekday: "short", day: "numeric" })}, ${time}` : time;
}
