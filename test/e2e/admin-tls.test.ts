/** The admin API over TLS, where other machines could reach it: what it asks for there, its names, its certificate, and the command line. */
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type PeerCertificate } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningServer, serve } from '../../src/index.ts';
import { authority, type Authority } from '../helpers/certificates.ts';
import { serin, SerinProcess } from '../helpers/serin-process.ts';

/** This machine, spelt so that Serin takes it for an address that others can reach. */
const EXPOSED = '::ffff:127.0.0.1';
const NAME = 'serin.test';

let directory: string;
let state: string;
let ca: Authority;
let server: RunningServer | undefined;
let port: number;
let token: string;

const replace = (name: string, text: string): void => {
  writeFileSync(join(directory, `${name}.new`), text, { mode: 0o600 });
  renameSync(join(directory, `${name}.new`), join(directory, name));
};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-admin-tls-'));
  state = join(directory, 'state');
  ca = await authority();
  const { cert, key } = await ca.issue([NAME]);
  replace('cert.pem', cert);
  replace('key.pem', key);
  writeFileSync(join(directory, 'config.yaml'), 'services: { reviews: { versions: { v1: http://127.0.0.1:1 }, routes: [{ to: v1 }] } }\n');
  server = await serve({
    paths: [join(directory, 'config.yaml')],
    stateDirectory: state,
    mesh: 'off',
    workers: 0,
    admin: {
      address: { host: EXPOSED, port: 0 },
      names: [NAME],
      tls: { certificate: join(directory, 'cert.pem'), privateKey: join(directory, 'key.pem') },
    },
  });
  port = server.admin.port;
  token = readFileSync(join(state, 'token'), 'utf8').trim();
});

afterAll(async () => {
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly cookie: string;
}

function ask(path: string, headers: Readonly<Record<string, string>> = {}, method = 'GET', body?: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        ca: ca.cert,
        servername: NAME,
        agent: false,
        headers: { host: `${NAME}:${port}`, 'content-type': 'application/json', ...headers },
      },
      (response) => {
        response.resume().on('end', () => resolve({ status: response.statusCode ?? 0, cookie: String(response.headers['set-cookie']) }));
      },
    );
    asked.on('error', reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const bearer = (): Record<string, string> => ({ authorization: `Bearer ${token}` });

test('it answers for its own names only', async () => {
  expect((await ask('/livez')).status).toBe(200);
  expect((await ask('/livez', { host: 'SERIN.test' })).status).toBe(200);
  for (const host of ['evil.example', `x.${NAME}`, `${NAME}.evil.example`]) expect((await ask('/livez', { host })).status).toBe(403);
});

test('metrics take a token here, however the path is spelt; probes do not', async () => {
  expect((await ask('/readyz')).status).toBe(200);
  expect((await ask('/metrics')).status).toBe(401);
  expect((await ask('/%6detrics')).status).toBe(401);
  expect((await ask('/metrics', bearer())).status).toBe(200);
});

test('a session is bound to TLS and to this host, and a change with it to the https origin', async () => {
  const { status, cookie } = await ask('/api/v1/session', {}, 'POST', { token });
  expect(status).toBe(201);
  expect(cookie).toMatch(new RegExp(`^__Host-serin-${port}=[\\w-]{43}; Path=/; HttpOnly; SameSite=Strict; Max-Age=\\d+; Secure$`));
  const [pair = ''] = cookie.split(';');
  const codes = async (origin: string): Promise<number> =>
    (await ask('/api/v1/session/codes', { cookie: pair, origin, 'x-serin-csrf': '1' }, 'POST')).status;
  expect(await codes(`http://${NAME}:${port}`)).toBe(403);
  expect(await codes(`https://${NAME}:${port}`)).toBe(201);
});

test('plain HTTP gets no answer, and TLS before 1.2 no connection', async () => {
  await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow();
  const old = new Promise((resolve, reject) => {
    connect({ host: '127.0.0.1', port, rejectUnauthorized: false, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }, () =>
      resolve('connected'),
    ).on('error', reject);
  });
  await expect(old).rejects.toThrow();
});

test('the command line on this machine takes the certificate of its daemon, and no other', { timeout: 60_000 }, async () => {
  const listed = await serin(['get', 'endpoints', '--state', state]);
  expect(listed).toMatchObject({ code: 0, err: '' });
  const info = join(state, 'daemon.json');
  const before = readFileSync(info, 'utf8');
  const other = await (await authority()).issue([NAME]);
  writeFileSync(info, before.replace(/"certificate":"[^"]*"/, `"certificate":${JSON.stringify(other.cert)}`));
  expect(await serin(['get', 'endpoints', '--state', state])).toMatchObject({ code: 4 });
  writeFileSync(info, before);
});

test('serin up says where it is, and refuses half of what TLS takes', { timeout: 60_000 }, async () => {
  const files = ['--admin-tls-cert', join(directory, 'cert.pem'), '--admin-tls-key', join(directory, 'key.pem')];
  const rest = ['-f', join(directory, 'config.yaml'), '--mesh', 'off', '--state', join(directory, 'second')];
  const up = await new SerinProcess(['up', ...rest, '--admin', '127.0.0.1:0', ...files, '--admin-name', NAME]).ready();
  expect(up.out).toMatch(/^admin +https:\/\/127\.0\.0\.1:\d+ /m);
  expect(await serin(['get', 'listeners', '--state', join(directory, 'second')])).toMatchObject({ code: 0 });
  await up.end();
  for (const [args, code, message] of [
    [files.slice(2), 2, '--admin-tls-cert and --admin-tls-key go together'],
    [['--admin-name', 'a:1'], 2, 'expected a host name as in an address, without port'],
    [['--admin', '192.0.2.1:0'], 1, 'it speaks plain HTTP; give --admin-tls-cert and --admin-tls-key'],
    [['--admin', '192.0.2.1:0', '--admin-anonymous-read', ...files], 1, 'leave out --admin-anonymous-read'],
    [['--admin', '0.0.0.0:0', ...files], 1, 'say which with --admin-name'],
    [['--admin-tls-cert', '/nonexistent', '--admin-tls-key', '/nonexistent'], 1, '[E_ADMIN_TLS]'],
  ] as const)
    expect(await serin(['up', ...rest, ...args])).toMatchObject({ code, err: expect.stringContaining(message) });
});

function served(): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: NAME, ca: ca.cert }, () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

test('a renewed certificate is served without a restart, one that does not fit its key is not', { timeout: 60_000 }, async () => {
  const before = await served();
  const renewed = await ca.issue([NAME, 'new.test']);
  // Its key comes a moment later, as from a program that renews both.
  replace('cert.pem', renewed.cert);
  await sleep(2500);
  expect((await served()).fingerprint256).toBe(before.fingerprint256);
  replace('key.pem', renewed.key);
  while ((await served()).fingerprint256 === before.fingerprint256) await sleep(100);
  expect((await served()).subjectaltname).toContain('new.test');
  expect(await serin(['get', 'endpoints', '--state', state])).toMatchObject({ code: 0 });
});
