/**
 * One cookie of a Cookie field (RFC 6265 §5.4: pairs separated by `;`).
 *
 * @param cookies  Value of the Cookie field; several fields joined with `,` still separate at `;`.
 * @returns        The first value of that name, quotes around it removed; undefined when there is none. Never throws, whatever a client sends.
 */
export function cookieValue(cookies: string, name: string): string | undefined {
  for (let start = 0; start < cookies.length;) {
    let end = cookies.indexOf(';', start);
    if (end === -1) end = cookies.length;
    const pair = cookies.slice(start, end).trim();
    const equals = pair.indexOf('=');
    if (equals === name.length && pair.startsWith(name)) {
      const value = pair.slice(equals + 1).trim();
      return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
    }
    start = end + 1;
  }
  return undefined;
}

/**
 * The rest without any cookie of that name, as a Cookie field has them.
 *
 * @param cookies  As above. What is no pair is kept as it is.
 */
export function withoutCookie(cookies: string, name: string): string {
  return cookies
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '' && !(pair.startsWith(name) && pair.indexOf('=') === name.length))
    .join('; ');
}
