/** A program for tests of supervised processes: an HTTP server on $PORT whose behaviour its environment says. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const SCRIPT = `
const { createServer } = require('node:http');
const { spawn } = require('node:child_process');
const { appendFileSync, existsSync, writeFileSync } = require('node:fs');
const { NAME = '', STARTS, GRANDCHILD, READY_FILE, PORT } = process.env;
if (STARTS) appendFileSync(STARTS, process.pid + '\\n');
if (process.env.CRASH) { console.error('last words of ' + NAME); process.exit(3); }
if (process.env.IGNORE_TERM) process.on('SIGTERM', () => console.log('SIGTERM ignored'));
else process.on('SIGTERM', () => { console.log('SIGTERM'); process.exit(0); });
if (GRANDCHILD) {
  // Its own, and as deaf to SIGTERM as a program can be.
  const child = spawn(process.execPath, ['-e', "process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)"], { stdio: ['ignore', 'pipe', 'ignore'] });
  child.stdout.once('data', () => writeFileSync(GRANDCHILD, String(child.pid)));
}
if (process.env.FLOOD) {
  const block = Buffer.alloc(64 * 1024, 'x'.repeat(127) + '\\n');
  const write = () => { while (process.stdout.write(block)); process.stdout.once('drain', write); };
  write();
}
const server = createServer((request, response) => {
  if (request.url === '/ready') {
    response.statusCode = !READY_FILE || existsSync(READY_FILE) ? 200 : 503;
    return response.end();
  }
  if (request.url === '/env') return response.end(JSON.stringify(process.env));
  if (request.url === '/pid') return response.end(String(process.pid));
  if (request.url === '/exit') { response.end(NAME); return setImmediate(() => process.exit(4)); }
  const held = /^\\/held\\/(.*)$/.exec(request.url);
  if (held) {
    const poll = setInterval(() => { if (existsSync(held[1])) { clearInterval(poll); response.end(NAME); } }, 10);
    writeFileSync(held[1] + '.arrived', '');
    return;
  }
  response.end(NAME);
});
server.keepAliveTimeout = 60000;
setTimeout(() => server.listen(Number(PORT), '127.0.0.1', () => console.log(NAME + ' listens')), Number(process.env.DELAY_MS || 0));
`;

/** @returns Its file name in the directory. */
export function writeProgram(directory: string): string {
  writeFileSync(join(directory, 'program.cjs'), SCRIPT);
  return 'program.cjs';
}

/** False for what has ended, also where nobody has asked for its exit code yet. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (process.platform !== 'linux') return true;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
  } catch {
    return false;
  }
}

/** Waits for something another process does, which no event tells of. @throws Error with `what` after 30 s */
export async function eventually(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; tries < 1500; tries++) {
    if (await holds()) return;
    await sleep(20);
  }
  throw new Error(`waited 30 s in vain: ${what}`);
}

/** The numbers in a file, once there is one. */
export async function numbersIn(file: string): Promise<number[]> {
  await eventually(() => existsSync(file) && readFileSync(file, 'utf8').trim() !== '', `${file} is written`);
  return readFileSync(file, 'utf8').trim().split('\n').map(Number);
}
