// Numbers and times as people read them.

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** Seconds as `m:ss` or `h:mm:ss`; a dash for what is not known. */
export function clock(seconds: number | null | undefined): string {
  if (!known(seconds)) return "–:––";
  const whole = Math.floor(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${h > 0 ? String(m).padStart(2, "0") : m}:${String(s).padStart(2, "0")}`;
  return h > 0 ? `${h}:${tail}` : tail;
}

/** Seconds in words, for screen readers. */
export function spoken(seconds: number | null | undefined): string {
  if (!known(seconds)) return "unknown length";
  const whole = Math.floor(seconds);
  const parts: [number, string][] = [
    [Math.floor(whole / 3600), "hour"],
    [Math.floor(whole / 60) % 60, "minute"],
    [whole % 60, "second"],
  ];
  const said = parts.filter(([count]) => count > 0).map(([count, unit]) => counted(count, unit));
  return said.length > 0 ? said.join(" ") : "0 seconds";
}

/** A count with its noun: `1 video`, `2 videos`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Bytes in decimal units with at most one place after the point. */
export function bytes(count: number | null | undefined): string {
  if (!known(count)) return "unknown size";
  let value = count;
  let unit = 0;
  while (value >= 999.95 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : Math.round(value * 10) / 10} ${UNITS[unit]}`;
}

/** How long ago, in the coarsest unit that is not zero. */
export function ago(time: string, now: number = Date.now()): string {
  const seconds = Math.round((Date.parse(time) - now) / 1000);
  if (Number.isNaN(seconds)) return "";
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [
    ["year", 31_557_600],
    ["month", 2_629_800],
    ["week", 604_800],
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ];
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  for (const [unit, size] of steps) {
    if (Math.abs(seconds) >= size) return words.format(Math.trunc(seconds / size), unit);
  }
  return "just now";
}

/** A day, as in 3 December 2026. */
export function day(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "" : new Intl.DateTimeFormat("en-GB", { dateStyle: "long" }).format(date);
}

/** A film's title guessed from its file name: no extension, no underscores, no shouting dots. */
export function titleFromFileName(name: string): string {
  const stem = name.replace(/\.[A-Za-z0-9]{1,5}$/, "");
  const words = stem.replace(/[\u0000-\u001f\u007f]/g, "").replace(/[._]+/g, " ").replace(/\s+/g, " ").trim();
  return words.slice(0, 200) || "Untitled film";
}

/** What a rung is called: by its short side, so that a portrait film's 360p is 360p. */
export function rungLabel(width: number | null | undefined, height: number | null | undefined): string {
  const sides = [width, height].filter((side): side is number => known(side) && side > 0);
  return sides.length > 0 ? `${Math.min(...sides)}p` : "Unknown";
}

function known(value: number | null | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
