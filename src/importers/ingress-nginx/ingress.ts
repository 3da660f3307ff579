/** Ingresses (networking.k8s.io/v1) as ingress-nginx takes them: one entry for each host and path, canaries beside the path they are of. */
import { ignoreHead, type ForeignDocument } from '../document.ts';
import type { Field } from '../field.ts';

const PREFIX = 'nginx.ingress.kubernetes.io/';

export type PathType = 'Exact' | 'Prefix' | 'ImplementationSpecific';

export interface BackendRef {
  readonly name: string;
  readonly port: number;
}

export interface IngressPath {
  readonly ingress: Ingress;
  /** Undefined: any. */
  readonly host: string | undefined;
  readonly path: string;
  readonly type: PathType;
  readonly backend: BackendRef;
  readonly field: Field;
  canary?: IngressPath;
}

export interface Ingress {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly createdAt: string;
  readonly annotations: Annotations;
  readonly isCanary: boolean;
  readonly paths: IngressPath[];
  readonly tls: readonly { readonly hosts: readonly string[]; readonly secret: string | undefined; readonly field: Field }[];
}

/** Those of the controller, by the name behind its prefix. */
export class Annotations {
  readonly #fields: Field;

  constructor(fields: Field) {
    this.#fields = fields;
  }

  field(name: string): Field {
    return this.#fields.at(`${PREFIX}${name}`);
  }

  has(name: string): boolean {
    return this.field(name).isThere;
  }

  text(name: string): string | undefined {
    return this.field(name).word()?.trim();
  }

  number(name: string): number | undefined {
    return this.field(name).number();
  }

  flag(name: string): boolean | undefined {
    return this.field(name).flag();
  }

  names(): readonly string[] {
    return this.#fields.entries().flatMap(([key]) => (key.startsWith(PREFIX) ? [key.slice(PREFIX.length)] : []));
  }

  /** Of other tools. */
  foreign(): readonly (readonly [string, Field])[] {
    return this.#fields.entries().filter(([key]) => !key.startsWith(PREFIX));
  }
}

/** Ports of the Services in the files, by `namespace/name`. */
export type ServicePorts = ReadonlyMap<
  string,
  readonly { readonly name: string | undefined; readonly port: number; readonly protocol: string }[]
>;

export function readServices(documents: readonly ForeignDocument[]): ServicePorts {
  const services = new Map<string, { name: string | undefined; port: number; protocol: string }[]>();
  for (const { group, kind, namespace, name, root } of documents) {
    if (group !== '' || kind !== 'Service') continue;
    root.ignore();
    const ports = root.at('spec', 'ports').items();
    services.set(
      `${namespace ?? 'default'}/${name}`,
      ports.map((port) => ({
        name: port.at('name').text(),
        port: port.at('port').number() ?? 0,
        protocol: port.at('appProtocol').text() ?? '',
      })),
    );
  }
  return services;
}

export function readIngress(document: ForeignDocument, services: ServicePorts): Ingress {
  const { root, name, namespace } = document;
  ignoreHead(document);
  const annotations = new Annotations(root.at('metadata', 'annotations'));
  const createdAt = root.at('metadata', 'creationTimestamp').peek();
  const spec = root.at('spec');
  const ingress: Ingress = {
    name,
    namespace,
    createdAt: typeof createdAt === 'string' ? createdAt : '',
    annotations,
    isCanary: annotations.flag('canary') === true,
    paths: [],
    tls: spec
      .at('tls')
      .items()
      .map((field) => ({ hosts: field.at('hosts').texts(), secret: field.at('secretName').text(), field })),
  };
  const fallback = spec.at('defaultBackend');
  const rules = spec.at('rules').items();
  for (const rule of rules) {
    const host = rule.at('host').text();
    const paths = rule.at('http', 'paths').items();
    for (const field of paths) addPath(ingress, host, field, services);
    // Where a host has no rule for everything, the Ingress' own default backend takes the rest.
    const hasRoot = ingress.paths.some((path) => path.host === host && path.path === '/' && path.type !== 'Exact');
    if (fallback.isThere && !hasRoot) addFallback(ingress, host, fallback, services);
  }
  if (fallback.isThere && rules.length === 0) addFallback(ingress, undefined, fallback, services);
  return ingress;
}

function addPath(ingress: Ingress, host: string | undefined, field: Field, services: ServicePorts): void {
  const type = field.at('pathType').text() ?? 'ImplementationSpecific';
  const path = field.at('path').text() ?? '/';
  const backend = readBackend(field.at('backend'), ingress, services);
  if (backend === undefined) return;
  const known = type === 'Exact' || type === 'Prefix' ? type : 'ImplementationSpecific';
  ingress.paths.push({ ingress, host, path: path === '' ? '/' : path, type: known, backend, field });
}

function addFallback(ingress: Ingress, host: string | undefined, field: Field, services: ServicePorts): void {
  const backend = readBackend(field, ingress, services);
  if (backend !== undefined) ingress.paths.push({ ingress, host, path: '/', type: 'Prefix', backend, field });
}

function readBackend(field: Field, { namespace }: Ingress, services: ServicePorts): BackendRef | undefined {
  const resource = field.at('resource');
  if (resource.isThere) {
    resource.noEquivalent('a backend that is no Service cannot be sent to; the path is left out', 'name a Service');
    return undefined;
  }
  const service = field.at('service');
  const name = service.at('name').text();
  const port = service.at('port', 'number').number();
  const portName = service.at('port', 'name').text();
  if (name === undefined) {
    field.error('E_REQUIRED', 'a backend needs a Service');
    return undefined;
  }
  if (port !== undefined) return { name, port };
  const known = services.get(`${namespace ?? 'default'}/${name}`);
  const found = known?.find((candidate) => candidate.name === portName)?.port;
  if (found !== undefined) return { name, port: found };
  service
    .at('port')
    .missing(
      known === undefined
        ? `Service ${name} is not in the files given, so nobody knows the number of its port ${portName ?? ''}; the path is left out`
        : `Service ${name} has no port ${portName ?? ''}; the path is left out`,
      'give the file of the Service too, or write port: { number: … }',
    );
  return undefined;
}

/** Puts canaries beside the paths they are of, as ingress-nginx does: same host, path and type. The rest have no effect there either. */
export function pairCanaries(ingresses: readonly Ingress[]): void {
  const main = ingresses.filter(({ isCanary }) => !isCanary).flatMap(({ paths }) => paths);
  for (const canary of ingresses.filter(({ isCanary }) => isCanary).flatMap(({ paths }) => paths)) {
    const path = main.find(
      (candidate) =>
        candidate.host === canary.host &&
        candidate.path === canary.path &&
        candidate.type === canary.type &&
        candidate.ingress.namespace === canary.ingress.namespace,
    );
    if (path === undefined)
      canary.field.differs(
        'no Ingress in the files has this host and path, so the canary has no effect and is left out',
        'give the file of the main Ingress too',
      );
    else if (path.canary === undefined) path.canary = canary;
    else
      canary.field.noEquivalent(
        'ingress-nginx takes one canary a path; this one is the second and is left out',
        'a Rollout with canaries: releases several versions beside each other',
      );
  }
}
