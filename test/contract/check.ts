/** Asks an engine what a case asks, and holds what comes of it to the contract. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { schemeOf, type Answer, type Client, type Protocol } from './clients.ts';
import { listenerOf, parseAsked, parseField, type ContractCase, type ContractRequest, type Version } from './contract.ts';
import { ID, RECEIVED, type Received, type Versions } from './versions.ts';

export interface Engine {
  readonly protocol: Protocol;
  /** Of a listener: `mesh`, or the port of a Gateway. */
  readonly clientOf: (listener: string) => Promise<Client>;
  readonly versions: Versions;
}

const DRAWS = 300;
/** Standard deviations of a share over `DRAWS`: beyond them once in more than a million runs. */
const DEVIATIONS = 5;

/** Rejects where the engine breaks the contract. */
export async function checkCase({ requests = [], shares = [] }: ContractCase, engine: Engine): Promise<void> {
  const asked: { readonly id: string; readonly request: ContractRequest }[] = [];
  for (const request of requests) {
    const { scheme } = parseAsked(request.ask);
    if (scheme !== undefined && scheme !== schemeOf(engine.protocol)) continue;
    const id = randomUUID();
    asked.push({ id, request });
    await checkRequest(request, engine, id);
  }
  // Nothing has come after all.
  for (const { id, request } of asked)
    if (request.reached !== undefined) expect(engine.versions.reached(id), `${request.ask}: reached`).toEqual(request.reached);
  for (const { shares: expected, ...request } of shares) {
    const counts = await draw(request, engine);
    for (const version of ['v1', 'v2', 'v3'] as const) {
      const share = expected[version] ?? 0;
      const slack = DEVIATIONS * Math.sqrt((share * (1 - share)) / DRAWS);
      expect(Math.abs((counts.get(version) ?? 0) / DRAWS - share), `share of ${version}`).toBeLessThanOrEqual(slack);
    }
  }
}

async function ask(request: Pick<ContractRequest, 'ask' | 'with' | 'body' | 'port' | 'from'>, engine: Engine, id: string): Promise<Answer> {
  const { method, authority, path, query } = parseAsked(request.ask);
  const client = await engine.clientOf(listenerOf(request));
  return client.ask({
    method,
    authority,
    target: query === '' ? path : `${path}?${query}`,
    headers: [[ID, id], ...(request.with ?? []).map(parseField)],
    ...(request.body === undefined ? {} : { body: request.body }),
  });
}

async function checkRequest(request: ContractRequest, engine: Engine, id: string): Promise<void> {
  const answer = await ask(request, engine, id);
  const { gets, status = 200, sent = {}, reached } = request;
  const received = typeof gets === 'string' ? receivedOf(answer) : undefined;
  const what = `${request.ask} ${(request.with ?? []).join(', ')}`;
  expect([answer.status, received?.version], `${what}: answered`).toEqual(typeof gets === 'string' ? [status, gets] : [gets, undefined]);
  for (const [name, value] of Object.entries(request.answer ?? {}))
    expect(fieldOf(answer.list, name), `${what}: answered ${name}`).toBe(value);
  for (const [name, value] of Object.entries(sent)) {
    const found = name === ':path' ? received?.target : fieldOf(received?.headers ?? [], name);
    expect(found, `${what}: sent ${name}`).toBe(value);
  }
  // Copies come when they come.
  if (reached !== undefined) await expect.poll(() => engine.versions.reached(id), { message: `${what}: reached` }).toEqual(reached);
}

function receivedOf({ status, body }: Answer): Received {
  const read = RECEIVED.safeParse(body.startsWith('{') ? JSON.parse(body) : undefined);
  if (!read.success) throw new Error(`expected the answer of a version, found ${status} ${JSON.stringify(body)}`);
  return read.data;
}

/** Values joined, as one field may also be written; null: there is none. */
function fieldOf(list: readonly string[], name: string): string | null {
  const values = list.filter((_value, at) => at % 2 === 1 && list[at - 1]?.toLowerCase() === name);
  return values.length === 0 ? null : values.flatMap((value) => value.split(/, */)).join(',');
}

async function draw(
  request: Pick<ContractRequest, 'ask' | 'with' | 'body' | 'port'>,
  engine: Engine,
): Promise<ReadonlyMap<Version, number>> {
  const counts = new Map<Version, number>();
  const one = async (): Promise<void> => {
    const { version } = receivedOf(await ask(request, engine, randomUUID()));
    counts.set(version, (counts.get(version) ?? 0) + 1);
  };
  for (let done = 0; done < DRAWS; done += 10) await Promise.all(Array.from({ length: 10 }, one));
  return counts;
}
