const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const longDays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const time = '(\\d{2}):(\\d{2}):(\\d{2})'
const imfFixdate = new RegExp(`^(?:${days.join('|')}), (\\d{2}) (${months.join('|')}) (\\d{4}) ${time} GMT$`)
const rfc850 = new RegExp(`^(?:${longDays.join('|')}), (\\d{2})-(${months.join('|')})-(\\d{2}) ${time} GMT$`)
const asctime = new RegExp(`^(?:${days.join('|')}) (${months.join('|')}) ([ \\d]\\d) ${time} (\\d{4})$`)

/** Whole seconds, as an HTTP date carries no more: `Last-Modified` is compared in these. */
export function wholeSeconds (milliseconds: number): number {
  return Math.floor(milliseconds / 1000) * 1000
}

/** An IMF-fixdate (RFC 9110 §5.6.7) from milliseconds since the epoch. */
export function formatHttpDate (milliseconds: number): string {
  return new Date(wholeSeconds(milliseconds)).toUTCString()
}

/**
 * Milliseconds since the epoch from any of the three forms a recipient must accept
 * (RFC 9110 §5.6.7), or undefined: an invalid date is ignored by whoever asked.
 */
export function parseHttpDate (text: string, now = Date.now()): number | undefined {
  let match = imfFixdate.exec(text)
  if (match !== null) return instant(match[3], match[2], match[1], match.slice(4, 7))
  match = rfc850.exec(text)
  if (match !== null) return inNearestCentury(match, now)
  match = asctime.exec(text)
  if (match !== null) return instant(match[6], match[1], match[2], match.slice(3, 6))
  return undefined
}

/** A date that appears to lie more than 50 years ahead means the last century's (RFC 9110 §5.6.7). */
function inNearestCentury ([, day, month, twoDigits, ...clock]: RegExpExecArray, now: number): number | undefined {
  const horizon = new Date(now)
  const century = Math.floor(horizon.getUTCFullYear() / 100) * 100
  horizon.setUTCFullYear(horizon.getUTCFullYear() + 50)
  const date = instant(century + Number(twoDigits), month, day, clock)
  return date !== undefined && date > horizon.getTime() ? instant(century - 100 + Number(twoDigits), month, day, clock) : date
}

function instant (year: string | number = '', month = '', day = '', clock: string[] = []): number | undefined {
  const [hour = 0, minute = 0, second = 0] = clock.map(Number)
  // 60 is a leap second: RFC 9110 allows it, Date does not.
  if (hour > 23 || minute > 59 || second > 60) return undefined
  const date = new Date(0)
  date.setUTCFullYear(Number(year), months.indexOf(month), Number(day))
  if (date.getUTCDate() !== Number(day)) return undefined
  return date.setUTCHours(hour, minute, Math.min(second, 59))
}
