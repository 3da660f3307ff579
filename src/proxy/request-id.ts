/**
 * Request ids for requests that bring none: UUIDs in form (RFC 9562, version 4 and variant bits set), unique by a random prefix for each data
 * plane and a counter behind it. They name requests in logs; nobody may take them for secrets.
 */
import { randomBytes } from 'node:crypto';

const COUNTER_LIMIT = 2 ** 48;

export class RequestIds {
  readonly #prefix: string;
  #counter: number;

  constructor() {
    const hex = randomBytes(16).toString('hex');
    this.#prefix = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-`;
    this.#counter = Number.parseInt(hex.slice(20, 32), 16);
  }

  next(): string {
    this.#counter = (this.#counter + 1) % COUNTER_LIMIT;
    const hex = this.#counter.toString(16);
    return this.#prefix + (hex.length < 12 ? hex.padStart(12, '0') : hex);
  }
}
