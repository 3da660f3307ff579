/**
 * Byte classes of HTTP/1.1, one table lookup a byte.
 *
 * Tables are indexed by octet: messages are parsed as octets, never as text (RFC 9112 §2.2).
 */

const ALPHA_NUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

function mark(table: Uint8Array, characters: string, value: number): void {
  for (const character of characters) table[character.charCodeAt(0)] = value;
}

/** `NAME[byte]`: 0 not a token character, `NAME_UNDERSCORE` for `_`, else `NAME_TOKEN` (RFC 9110 §5.6.2). Values may be ORed over a name. */
const NAME_TOKEN = 1;
export const NAME_UNDERSCORE = 2;
export const NAME = new Uint8Array(256);
mark(NAME, `${ALPHA_NUMERIC}!#$%&'*+-.^\`|~`, NAME_TOKEN);
mark(NAME, '_', NAME_UNDERSCORE);

/** `FIELD_VALUE[byte]`: 1 for what may stand in a field value: HTAB, SP, VCHAR and 0x80-0xFF (RFC 9110 §5.5; every other control is refused). */
export const FIELD_VALUE = new Uint8Array(256);
for (let byte = 0x20; byte < 256; byte++) FIELD_VALUE[byte] = byte === 0x7f ? 0 : 1;
FIELD_VALUE[0x09] = 1;

/**
 * `TARGET[byte]`: 0 for what may not stand in a request target (CTL, SP, DEL, 0x80-0xFF, `#` and `\`), else bits that tell whether the
 * target needs a closer look.
 */
const TARGET_PLAIN = 1;
export const TARGET_PERCENT = 2;
export const TARGET_DOT = 4;
export const TARGET = new Uint8Array(256);
for (let byte = 0x21; byte < 0x7f; byte++) TARGET[byte] = TARGET_PLAIN;
TARGET[0x25] = TARGET_PLAIN | TARGET_PERCENT;
TARGET[0x2e] = TARGET_PLAIN | TARGET_DOT;
TARGET[0x23] = 0;
TARGET[0x5c] = 0;

/** `HOST[byte]`: 1 for a reg-name octet (RFC 3986 §3.2.2) except `,`, which would let one Host pass for two. */
export const HOST = new Uint8Array(256);
mark(HOST, `${ALPHA_NUMERIC}-._~!$&'()*+;=%`, 1);

/** `HEX[byte]`: 0 to 15, or 255 for what is no hex digit. */
export const HEX = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit++) {
  HEX[digit.toString(16).charCodeAt(0)] = digit;
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/** `LOWER[byte]`: ASCII letters in lower case, everything else as it is. */
export const LOWER = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) LOWER[byte] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;

const TOKEN_TEXT = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;

/** Whether a string is a token (RFC 9110 §5.6.2). */
export function isToken(text: string): boolean {
  return TOKEN_TEXT.test(text);
}
