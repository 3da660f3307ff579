/** `serin render -f PATH... --to istio`: what the files say as standard Istio resources, the short form expanded: the way out. */
import { type Command, Option } from 'commander';
import { hasErrors } from '../base/diagnostic.ts';
import { renderIstio } from '../config/render.ts';
import { type AddCommand, fileOption } from './command.ts';
import { EXIT } from './exit.ts';
import { formatDiagnostics, load, pathsOf } from './sources.ts';

export const renderCommand: AddCommand = (program, io, done): Command =>
  program
    .command('render')
    .description('print configuration as standard resources, the short form expanded')
    .argument('[PATH...]', 'more paths after -f')
    .addOption(fileOption())
    .addOption(new Option('--to <FORMAT>', 'what to print').choices(['istio']).makeOptionMandatory())
    .action(async (more: readonly string[], options: { file?: readonly string[] }) => {
      const { diagnostics, resources } = await load(pathsOf(options.file, more), io);
      if (hasErrors(diagnostics)) {
        io.err(formatDiagnostics(diagnostics, (_severity, text) => text));
        return done(EXIT.invalid);
      }
      io.out(renderIstio(resources));
    });
