/**
 * A shop behind a Gateway, for end-to-end tests of releases and shifts of its HTTPRoute: versions that are Services with real backends, a backend that is none
 * of theirs, and a Serin that is a real process.
 */
import { Agent, createServer, type Server } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import { z } from 'zod';
import { askAdmin, rolloutStatus, untilRollout } from './admin-api.ts';
import { replaceFile } from './replace-file.ts';
import { type Finished, serin, SerinProcess } from './serin-process.ts';
import { ask, close, listen, startUpstream, tally, type Upstream } from './upstream.ts';

/** As kubectl prints them: a Service, and where its one endpoint is. */
export const service = (name: string, port: number): string => `---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ name: web, port: 8080 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
ports: [{ name: web, port: ${port} }]
endpoints: [{ addresses: [127.0.0.1] }]
`;

export const GATEWAY = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: serin, listeners: [{ name: web, protocol: HTTP, port: 80 }] }
`;

/** Sixty in a hundred to the shop; the audit takes the rest, whatever becomes of the shop. */
export const SPLIT = 'backendRefs: [{ name: shop-v1, port: 8080, weight: 60 }, { name: other, port: 8080, weight: 40 }]';

export const VERSIONS = 'stable: shop-v1, canary: shop-v2';
export const steps = (text: string): string => `${VERSIONS}, strategy: { canary: { steps: [${text}] } }`;

const Status = z.looseObject({
  phase: z.string(),
  message: z.string(),
  outcome: z.string().optional(),
  currentStepIndex: z.number().optional(),
  weights: z.record(z.string(), z.number()).optional(),
  decisions: z.array(z.looseObject({ action: z.string(), reason: z.string() })),
});
type Status = z.infer<typeof Status>;

export interface Shape {
  /** Fields of the Rollout beside its route; without them there is none. */
  readonly rollout?: string;
  readonly rules?: string;
  readonly canaryPort?: number;
}

const UPSTREAMS = ['shop-v1', 'shop-v2', 'shop-v3', 'other'] as const;

/** One for all tests of a file; each has a directory of its own. */
export function useShop(): Shop {
  // Every test starts a process or several, and counts thousands of answers.
  vi.setConfig({ testTimeout: 120_000 });
  const shop = new Shop();
  beforeAll(() => shop.open());
  afterAll(() => shop.close());
  beforeEach(() => shop.begin());
  afterEach(() => shop.end());
  return shop;
}

export class Shop {
  readonly #upstreams = new Map<string, Upstream>();
  readonly #broken: Server = createServer((_request, response) => response.writeHead(this.brokenStatus).end('broken'));
  readonly #started: SerinProcess[] = [];
  /** Of a version that fails every request, unless a test says when it begins to. */
  brokenPort = 0;
  brokenStatus = 500;
  directory = '';

  async open(): Promise<void> {
    for (const name of UPSTREAMS) this.#upstreams.set(name, await startUpstream(name));
    this.brokenPort = await listen(this.#broken);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#upstreams.values()].map((upstream) => upstream.close()));
    await close(this.#broken);
  }

  begin(): void {
    this.brokenStatus = 500;
    this.directory = mkdtempSync(join(tmpdir(), 'serin-route-'));
  }

  async end(): Promise<void> {
    await Promise.all(this.#started.splice(0).map((process) => process.end()));
    rmSync(this.directory, { recursive: true, force: true });
  }

  get config(): string {
    return join(this.directory, 'config.yaml');
  }

  get state(): string {
    return join(this.directory, 'state');
  }

  upstream(name: (typeof UPSTREAMS)[number]): Upstream {
    const found = this.#upstreams.get(name);
    if (found === undefined) throw new Error(`no upstream ${name}`);
    return found;
  }

  save({ rollout, rules = `{ ${SPLIT} }`, canaryPort }: Shape): void {
    const route = `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec: { parentRefs: [{ name: edge }], rules: [${rules}] }
`;
    const release = `---
apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: { name: shop }
spec: { route: { name: shop }, ${rollout ?? ''} }
`;
    const services = UPSTREAMS.map((name) => service(name, (name === 'shop-v2' ? canaryPort : undefined) ?? this.upstream(name).port));
    replaceFile(this.config, [GATEWAY, route, ...services, ...(rollout === undefined ? [] : [release])].join(''));
  }

  async up(): Promise<SerinProcess> {
    const listeners = ['--listen', '80=127.0.0.1:0', '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
    const process = new SerinProcess(['up', '-f', this.config, '--state', this.state, ...listeners]);
    this.#started.push(process);
    return process.ready();
  }

  /** Of the Gateway. */
  edge(process: SerinProcess): { readonly host: string; readonly port: number } {
    return process.address('80');
  }

  cli(...args: string[]): Promise<Finished> {
    return serin([...args, '--state', this.state]);
  }

  status(process: SerinProcess): Promise<Status> {
    return rolloutStatus(process, this.state, Status, 'shop');
  }

  until(process: SerinProcess, holds: (status: Status) => boolean): Promise<Status> {
    return untilRollout(process, this.state, Status, holds, 'shop');
  }

  /** @returns What a verb of the release is answered. */
  async act(process: SerinProcess, verb: string): Promise<unknown> {
    const { status, json } = await askAdmin(process, this.state, { path: `rollouts/default/shop/${verb}`, body: {} });
    // 201: a preview link is something new.
    expect([200, 201]).toContain(status);
    return json;
  }

  /** Of 2,000 requests, within six standard deviations of a binomial, for there are many such comparisons; nobody else gets any. */
  async expectShares(process: SerinProcess, shares: Readonly<Record<string, number>>): Promise<void> {
    const counts = await tally(this.edge(process), 2000);
    for (const [name, share] of Object.entries(shares)) {
      const found = counts[name] ?? 0;
      expect(Math.abs(found - 2000 * share), `${name}: ${found} of 2000`).toBeLessThanOrEqual(6 * Math.sqrt(2000 * share * (1 - share)));
    }
    const expected = Object.keys(shares).filter((name) => shares[name] !== 0);
    expect(Object.keys(counts).toSorted()).toEqual(expected.toSorted());
  }

  /** Requests without pause on a few connections, until `stop` is aborted. */
  async load(process: SerinProcess, stop: AbortSignal, onAnswer: (body: string) => void = () => undefined): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    const client = async (): Promise<void> => {
      while (!stop.aborted) onAnswer((await ask(this.edge(process), { agent })).body);
    };
    await Promise.all([client(), client(), client(), client()]);
    agent.destroy();
  }
}
