// Numbers, money and times as the shop's people write them.

import { language, say } from "./words.js";

const { currency, timezone } = document.documentElement.dataset;

const plain = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const decimal = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
const wholePercent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 });
const signed = new Intl.NumberFormat(language, {
  style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero",
});
const compact = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });

const clockParts = new Intl.DateTimeFormat("en-CA", {
  timeZone: timezone, hourCycle: "h23",
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
});
const hourMinute = new Intl.DateTimeFormat(language, {
  timeZone: timezone, hourCycle: "h23", hour: "2-digit", minute: "2-digit",
});
const second = new Intl.DateTimeFormat(language, {
  timeZone: timezone, hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const day = new Intl.DateTimeFormat(language, { timeZone: timezone, month: "short", day: "numeric" });
const weekday = new Intl.DateTimeFormat(language, { timeZone: timezone, weekday: "short" });
const longDay = new Intl.DateTimeFormat(language, {
  timeZone: timezone, year: "numeric", month: "short", day: "numeric",
});
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });

const makers = new Map();
function money(code, digits) {
  const key = `${code} ${digits}`;
  if (!makers.has(key)) {
    const options = { style: "currency", currency: code, currencyDisplay: "narrowSymbol" };
    if (digits !== undefined) {
      options.minimumFractionDigits = digits;
      options.maximumFractionDigits = digits;
    }
    makers.set(key, new Intl.NumberFormat(language, options));
  }
  return makers.get(key);
}

const minorDigits = (code) => money(code).resolvedOptions().maximumFractionDigits;

// Minor units in, as the log keeps them.
export function formatMoney(minor, code = currency) {
  const major = minor / 10 ** minorDigits(code || currency);
  return money(code || currency, Math.abs(major) >= 1000 ? 0 : undefined).format(major);
}

const compactMoney = new Intl.NumberFormat(language, {
  style: "currency", currency, currencyDisplay: "narrowSymbol", notation: "compact", maximumFractionDigits: 1,
});
export const formatCompactMoney = (minor) => compactMoney.format(minor / 10 ** minorDigits(currency));

export const formatCount = (number) => plain.format(number);
export const formatDecimal = (number) => decimal.format(number);
export const formatCompact = (number) => compact.format(number);
export const formatShare = (share) => percent.format(share);
export const formatWholeShare = (share) => wholePercent.format(share);
export const formatChange = (share) => signed.format(share);

export function formatMs(ms) {
  if (ms === null || ms === undefined) return "–";
  return ms < 1000 ? say("ms", { n: plain.format(ms) }) : say("seconds", { n: decimal.format(ms / 1000) });
}

export function formatUnit(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "money") return formatMoney(value);
  if (unit === "share") return formatShare(value);
  if (unit === "ms") return formatMs(value);
  return value % 1 ? formatDecimal(value) : formatCount(value);
}

// 2017-08-03 14:00, the same in every language.
export function formatClock(ms) {
  const part = Object.fromEntries(clockParts.formatToParts(ms).map((one) => [one.type, one.value]));
  return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}`;
}

export const formatHour = (ms) => hourMinute.format(ms);
export const formatSecond = (ms) => second.format(ms);
export const formatDay = (ms) => day.format(ms);
export const formatWeekday = (ms) => weekday.format(ms);
export const formatLongDay = (ms) => longDay.format(ms);

export const timeZone = timezone;

export function isMidnight(ms) {
  return clockParts.formatToParts(ms).find((one) => one.type === "hour").value === "00";
}

// "3 hours ago" by the log's clock; what lies well ahead of it happened by the wall's clock: its day.
export function formatAgo(ms, now) {
  if (ms - now > 86_400_000) return formatLongDay(ms);
  const seconds = Math.round((ms - now) / 1000);
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
  }
  return relative.format(0, "second");
}
