/** The code blocks of a Markdown document, so that tests can run what the document tells its readers to run. */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface CodeBlock {
  /** `sh` of a fence that says `sh check=split`. */
  readonly language: string;
  /** What follows the language: `check=split` is check -> split, a bare word stands for itself. */
  readonly marks: ReadonlyMap<string, string>;
  readonly text: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
}

/** Fences of three back-ticks, as CommonMark reads them; an indented fence loses its indentation. */
export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  const fences = /^(?<indent> *)```(?<info>[^\n`]*)\n(?<text>[\s\S]*?)^\k<indent>```$/gm;
  for (const found of markdown.matchAll(fences)) {
    const { indent = '', info = '', text = '' } = found.groups ?? {};
    const [language = '', ...words] = info.trim().split(/\s+/);
    const marks = new Map(words.map((word): [string, string] => [word.split('=', 1)[0] ?? word, word.slice(word.indexOf('=') + 1)]));
    blocks.push({
      language,
      marks,
      text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      line: markdown.slice(0, found.index).split('\n').length,
    });
  }
  return blocks;
}

/** A command of a document with the lines it is shown to print: those of the `text` block that follows, unless that is marked as an `example`. */
export interface Step {
  readonly block: CodeBlock;
  readonly shown: readonly string[];
}

/** The `sh` blocks, but for those that are `manual`. */
export function steps(markdown: string): Step[] {
  const blocks = codeBlocks(markdown);
  return blocks.flatMap((block, index) => {
    if (block.language !== 'sh' || block.marks.has('manual')) return [];
    const next = blocks[index + 1];
    const isShown = next?.language === 'text' && !next.marks.has('example');
    return [{ block, shown: isShown ? next.text.trimEnd().split('\n') : [] }];
  });
}

/** Links and images of a document that point to a file that is not there. */
export async function brokenLinks(file: string): Promise<string[]> {
  const markdown = await readFile(file, 'utf8');
  const targets = [...markdown.matchAll(/\]\((?!\w+:|#)(?<target>[^)\s#]+)/g)].map((found) => found.groups?.['target'] ?? '');
  return targets.filter((target) => !existsSync(join(dirname(file), target)));
}
