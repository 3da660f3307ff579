/**
 * Bytes of a head that came in pieces, put together at offset 0. Doubles when it is full, so adding byte by byte stays linear.
 */
export class GrowingBuffer {
  bytes: Buffer = Buffer.allocUnsafe(1024);
  length = 0;

  append(piece: Buffer, from: number, to: number): void {
    const needed = this.length + (to - from);
    if (needed > this.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2));
      this.bytes.copy(larger, 0, 0, this.length);
      this.bytes = larger;
    }
    piece.copy(this.bytes, this.length, from, to);
    this.length = needed;
  }
}
