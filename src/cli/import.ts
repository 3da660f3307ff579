/**
 * `serin import TOOL -f PATH...`: YAML of another tool as YAML of Serin on stdout; what has no equivalent, and what differs, on stderr.
 *
 * Exit 0: written, with warnings or without. 3: something is wrong with the input, or something was written closed or left out (an error on stderr);
 * what could be written is on stdout all the same.
 */
import { type Command, Argument } from 'commander';
import { hasErrors } from '../base/diagnostic.ts';
import { readFiles } from '../config/load.ts';
import { importText, IMPORTED_TOOLS, type ImportedTool } from '../importers/import.ts';
import { type AddCommand, fileOption } from './command.ts';
import { CliError, EXIT } from './exit.ts';
import { formatDiagnostics, pathsOf } from './sources.ts';

export const importCommand: AddCommand = (program, io, done): Command =>
  program
    .command('import')
    .description("print another tool's YAML as that of Serin and the Gateway API, and say what has no equivalent")
    .addArgument(new Argument('<TOOL>', 'what wrote the YAML').choices(IMPORTED_TOOLS))
    .argument('[PATH...]', 'more paths after -f')
    .addOption(fileOption())
    .action(async (tool: ImportedTool, more: readonly string[], options: { file?: readonly string[] }) => {
      const paths = pathsOf(options.file, more);
      if (paths.includes('-') && paths.length > 1)
        throw new CliError(EXIT.usage, "'-f -' (standard input) cannot be combined with other paths");
      const { sources, problems } = paths.includes('-')
        ? { sources: [{ file: '-', content: await io.readInput() }], problems: [] }
        : await readFiles(paths);
      const { text, diagnostics } = importText(tool, sources);
      const all = [...problems, ...diagnostics];
      io.err(formatDiagnostics(all, (_severity, shown) => shown, Infinity));
      if (text === '' && !hasErrors(all)) throw new CliError(EXIT.invalid, `there is nothing of ${tool} in the files given`);
      io.out(text);
      done(hasErrors(all) ? EXIT.invalid : EXIT.ok);
    });
