/** What a terminal shows after text with line feeds, colours, and the sequences that move up and clear (ECMA-48), as far as Serin writes them. */
export class Terminal {
  readonly #columns: number;
  #rows: string[] = [''];
  #row = 0;
  #column = 0;

  constructor(columns: number) {
    this.#columns = columns;
  }

  write(text: string): this {
    for (const found of text.matchAll(/\u001b\[(?<count>[\d;]*)(?<command>[A-Za-z])|(?<char>[\s\S])/gu)) {
      const { count = '', command, char = '' } = found.groups ?? {};
      if (command === undefined) this.#put(char);
      else this.#control(command, Number(count === '' ? 1 : count));
    }
    return this;
  }

  /** Everything, also what has scrolled away; without spaces at the ends of lines. */
  get text(): string {
    return this.#rows
      .map((row) => row.trimEnd())
      .join('\n')
      .trimEnd();
  }

  #put(char: string): void {
    if (char === '\r') this.#column = 0;
    else if (char === '\n') this.#down();
    else {
      // A full row is left only when there is something to write after it.
      if (this.#column === this.#columns) this.#down();
      const row = (this.#rows[this.#row] ?? '').padEnd(this.#column);
      this.#rows[this.#row] = row.slice(0, this.#column) + char + row.slice(this.#column + 1);
      this.#column++;
    }
  }

  #down(): void {
    this.#row++;
    this.#column = 0;
    this.#rows[this.#row] ??= '';
  }

  #control(command: string, count: number): void {
    if (command === 'A') this.#row = Math.max(0, this.#row - count);
    else if (command === 'J' || command === 'K') {
      const row = this.#rows[this.#row] ?? '';
      this.#rows[this.#row] = row.slice(0, this.#column);
      if (command === 'J') this.#rows = this.#rows.slice(0, this.#row + 1);
    } else if (command !== 'm') throw new Error(`a sequence this terminal does not know: ${command}`);
  }
}
