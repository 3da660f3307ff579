/**
 * `serin validate -f PATH... [-o json]`: every problem at once.
 *
 * JSON is an array of objects with exactly the members file, line, column, code, severity, kind, namespace, name, path, message, hint; `hint` is
 * an empty string where there is none, and line and column are 0 where the problem has no place in a file. Exit 0 when the configuration can be
 * used (warnings allowed), 3 when not.
 */
import type { Command } from 'commander';
import { type Diagnostic, hasErrors } from '../base/diagnostic.ts';
import { wireKind } from '../config/resources.ts';
import { printableJson } from '../app/printable.ts';
import { type AddCommand, fileOption, outputOption } from './command.ts';
import { EXIT } from './exit.ts';
import { formatDiagnostics, load, pathsOf } from './sources.ts';

export const validateCommand: AddCommand = (program, io, done): Command =>
  program
    .command('validate')
    .description('check configuration and list every problem with its place, code and hint')
    .argument('[PATH...]', 'more paths after -f')
    .addOption(fileOption())
    .addOption(outputOption('json'))
    .action(async (more: readonly string[], options: { file?: readonly string[]; output?: 'json' }) => {
      const { diagnostics, files, resources } = await load(pathsOf(options.file, more), io, {}, io.env);
      if (options.output === 'json') {
        io.out(`${printableJson(diagnostics.map(diagnosticObject))}\n`);
      } else {
        io.out(formatDiagnostics(diagnostics, (severity, text) => io.paint(severity === 'error' ? 'red' : 'yellow', text)));
        io.out(`${summary(files.length, resources.length, diagnostics)}\n`);
      }
      done(hasErrors(diagnostics) ? EXIT.invalid : EXIT.ok);
    });

function diagnosticObject(diagnostic: Diagnostic): Required<Diagnostic> {
  const { file, line, column, code, severity, kind, namespace, name, path, message, hint = '' } = diagnostic;
  return { file, line, column, code, severity, kind: wireKind(kind), namespace, name, path, message, hint };
}

function summary(files: number, resources: number, diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error').length;
  const what = `${count(files, 'file')}, ${count(resources, 'resource')}`;
  return `${what}: ${errors === 0 ? 'valid' : `invalid, ${count(errors, 'error')}`}, ${count(diagnostics.length - errors, 'warning')}`;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
