/**
 * Timeouts in coarse buckets: setting one costs two stores when it moves later, a few pointers when it moves earlier; no timer object a
 * request.
 *
 *   slots   [ ][ ][•••][ ][••] …            each a doubly linked list of Deadlines; one slot a tick, 512 slots around
 *            now ──> one slot every 20 ms
 *
 * A deadline may sit in an earlier slot than it needs (it was moved later, or lies beyond one turn of the wheel): when its slot comes up it is
 * put where it belongs. So a deadline fires never early and at most about one tick late.
 *
 * What has come is read before anything is found to be late: after a stall of this thread an answer that waits in the kernel is no timeout.
 */

const TICK_MS = 20;
const SLOTS = 512;

const NEVER = Number.POSITIVE_INFINITY;

export class Deadline {
  /** When it is due, on the wheel's clock; `Infinity` when it is not set. */
  at = NEVER;
  /** Tick of the slot it sits in; -1 when it is in none. */
  tick = -1;
  next: Deadline | undefined;
  previous: Deadline | undefined;
  readonly onDue: () => void;

  constructor(onDue: () => void) {
    this.onDue = onDue;
  }
}

export class DeadlineWheel {
  readonly #slots: (Deadline | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  readonly #now: () => number;
  #tick: number;
  #queued = 0;
  #timer: NodeJS.Timeout | undefined;
  #afterReading: NodeJS.Immediate | undefined;

  /** @param now  Monotonic clock, ms. */
  constructor(now: () => number) {
    this.#now = now;
    this.#tick = Math.floor(now() / TICK_MS);
  }

  set(deadline: Deadline, at: number): void {
    deadline.at = at;
    const tick = Math.ceil(at / TICK_MS);
    if (deadline.tick !== -1) {
      if (tick >= deadline.tick) return;
      this.#unlink(deadline);
    }
    if (this.#queued === 0) this.#start();
    this.#link(deadline, tick);
  }

  /** Unsets it; cheap, it stays in its slot until that comes up. */
  clear(deadline: Deadline): void {
    deadline.at = NEVER;
  }

  /** Unsets it and forgets it at once: for what is thrown away. */
  remove(deadline: Deadline): void {
    deadline.at = NEVER;
    if (deadline.tick !== -1) this.#unlink(deadline);
    if (this.#queued === 0) this.close();
  }

  close(): void {
    clearInterval(this.#timer);
    clearImmediate(this.#afterReading);
    this.#timer = undefined;
  }

  #start(): void {
    this.#tick = Math.floor(this.#now() / TICK_MS);
    if (this.#timer !== undefined) return;
    const advance = (): void => this.#advance();
    // Timers run before sockets are looked at, immediates after.
    this.#timer = setInterval(() => (this.#afterReading = setImmediate(advance)), TICK_MS);
    this.#timer.unref();
  }

  #advance(): void {
    const now = this.#now();
    const target = Math.floor(now / TICK_MS);
    // After a long stall one turn of the wheel visits every slot.
    if (target - this.#tick > SLOTS) this.#tick = target - SLOTS;
    while (this.#tick < target) {
      this.#tick++;
      // From the head each time: what is called may set, clear or remove any other. Nothing is ever put back into the slot of this tick.
      for (;;) {
        const deadline = this.#slots[this.#tick % SLOTS];
        if (deadline === undefined) break;
        this.#unlink(deadline);
        if (deadline.at <= now) {
          deadline.at = NEVER;
          deadline.onDue();
        } else if (deadline.at !== NEVER) {
          this.#link(deadline, Math.ceil(deadline.at / TICK_MS));
        }
      }
    }
    if (this.#queued === 0) this.close();
  }

  #link(deadline: Deadline, wanted: number): void {
    const tick = Math.min(Math.max(wanted, this.#tick + 1), this.#tick + SLOTS - 1);
    const slot = tick % SLOTS;
    const head = this.#slots[slot];
    deadline.tick = tick;
    deadline.previous = undefined;
    deadline.next = head;
    if (head !== undefined) head.previous = deadline;
    this.#slots[slot] = deadline;
    this.#queued++;
  }

  #unlink(deadline: Deadline): void {
    const { next, previous } = deadline;
    if (previous === undefined) this.#slots[deadline.tick % SLOTS] = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    deadline.next = undefined;
    deadline.previous = undefined;
    deadline.tick = -1;
    this.#queued--;
  }
}
