/**
 * `serin open [--print]`: opens the dashboard, signed in. The address has a code that opens one session within a minute, after `#`, which browsers send
 * to nobody; the token itself goes nowhere. Where there is no browser the address is printed.
 *
 * Arguments of a program can be read by everybody on a machine, so a browser is not given the address but a file that leads there.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { z } from 'zod';
import { stateDirectory } from '../app/state-directory.ts';
import { type AddCommand, adminOption, clientFor, type ClientOptions, stateOption, tokenFileOption } from './command.ts';
import type { Io } from './io.ts';

interface Options extends ClientOptions {
  readonly print?: true;
}

const LoginCode = z.object({ code: z.string().regex(/^[A-Za-z0-9_-]+$/), expiresInSeconds: z.number() });

export const openCommand: AddCommand = (program, io): Command =>
  program
    .command('open')
    .description('open the dashboard in a browser, signed in')
    .option('--print', 'print the address and open nothing')
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(tokenFileOption())
    .action(async ({ print, ...options }: Options) => {
      const client = clientFor(options, io);
      const { code, expiresInSeconds } = await client.call({ method: 'POST', path: '/api/v1/session/codes', body: {} }, LoginCode);
      const address = `${client.url}/#code=${code}`;
      const isOpened = print !== true && (await openBrowser(address, stateDirectory(options.state, io.env), io.env));
      if (isOpened) return io.out(`opened ${client.url} in a browser\n`);
      io.out(`${address}\n`);
      return io.err(`serin: the address is good once, within ${expiresInSeconds} s\n`);
    });

/** @returns Whether a browser was there, and took it. */
async function openBrowser(address: string, directory: string, env: Io['env']): Promise<boolean> {
  const browser = browserCommand(env);
  if (browser === undefined) return false;
  const file = join(resolve(directory), 'open.html');
  try {
    // A file that was there might be open to others.
    rmSync(file, { force: true });
    writeFileSync(
      file,
      `<!doctype html><meta charset="utf-8"><title>Serin</title><script>location.replace(${JSON.stringify(address)})</script>\n`,
      {
        mode: 0o600,
        flag: 'wx',
      },
    );
  } catch {
    return false;
  }
  const [program, ...args] = browser;
  return new Promise((settle) => {
    const child = spawn(program, [...args, pathToFileURL(file).href], { detached: true, stdio: 'ignore', env });
    child.once('error', () => settle(false));
    child.once('spawn', () => {
      child.unref();
      settle(true);
    });
  });
}

/** Undefined: there is none, as over SSH. */
function browserCommand(env: Io['env']): readonly [string, ...string[]] | undefined {
  const named = env['BROWSER'];
  if (named !== undefined && named !== '') return [named];
  if (process.platform === 'darwin') return ['open'];
  if (process.platform === 'win32') return ['explorer.exe'];
  const hasScreen = (env['DISPLAY'] ?? env['WAYLAND_DISPLAY'] ?? '') !== '';
  return hasScreen && isOnPath('xdg-open', env) ? ['xdg-open'] : undefined;
}

function isOnPath(program: string, env: Io['env']): boolean {
  return (env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
