/** One Gateway for all Ingresses of an import: plain HTTP for every host, and HTTPS for each host that has a certificate. */
import { defined, head, labelOf, type Output } from '../emit.ts';
import type { Ingress } from './ingress.ts';

export const GATEWAY_API = 'gateway.networking.k8s.io/v1';
const GATEWAY_NAME = 'ingress-nginx';
export const HTTP_LISTENER = 'http';

export interface TlsHost {
  /** May begin with `*.`; undefined: any. */
  readonly host: string | undefined;
  readonly secret: string;
  /** Of the Secret. */
  readonly namespace: string;
  readonly listener: string;
}

export function tlsHosts(ingresses: readonly Ingress[]): readonly TlsHost[] {
  const found: TlsHost[] = [];
  const taken = new Set([HTTP_LISTENER]);
  for (const ingress of ingresses) {
    for (const { hosts, secret, field } of ingress.tls) {
      if (secret === undefined) {
        field.missing(
          'there is no secretName, and the certificate nginx shows instead is not in the files; these hosts get no HTTPS',
          'write secretName, or add a listener to the Gateway',
        );
        continue;
      }
      const named = hosts.length > 0 ? hosts : [...new Set(ingress.paths.map(({ host }) => host))];
      for (const host of named) {
        const known = found.find((candidate) => candidate.host === host);
        const namespace = ingress.namespace ?? 'default';
        if (known === undefined)
          found.push({ host, secret, namespace, listener: labelOf(host === undefined ? 'https' : `https-${host}`, taken) });
        else if (known.secret !== secret || known.namespace !== namespace)
          field.differs(
            `${host ?? 'the host without a name'} has the certificate ${known.namespace}/${known.secret} already; this one is left out`,
          );
      }
    }
  }
  return found;
}

/** The listener that has the certificate for a host: its own name before a wildcard. */
export function tlsOf(host: string | undefined, all: readonly TlsHost[]): TlsHost | undefined {
  const wildcard = host === undefined ? undefined : `*.${host.slice(host.indexOf('.') + 1)}`;
  return all.find((tls) => tls.host === host) ?? all.find((tls) => tls.host === wildcard) ?? all.find((tls) => tls.host === undefined);
}

export class GatewayPlan {
  readonly #namespace: string | undefined;
  readonly #isShared: boolean;
  readonly #tls: readonly TlsHost[];

  constructor(ingresses: readonly Ingress[], tls: readonly TlsHost[]) {
    this.#namespace = ingresses[0]?.namespace;
    this.#isShared = new Set(ingresses.map(({ namespace }) => namespace ?? 'default')).size > 1;
    this.#tls = tls;
  }

  /** @param namespace Of the route. */
  parentRef(namespace: string | undefined, sectionName: string): object {
    const isSame = (namespace ?? 'default') === (this.#namespace ?? 'default');
    return { name: GATEWAY_NAME, ...(isSame ? {} : { namespace: this.#namespace ?? 'default' }), sectionName };
  }

  outputs(): readonly Output[] {
    const own = this.#namespace ?? 'default';
    const allowedRoutes = this.#isShared ? { namespaces: { from: 'All' } } : undefined;
    const listeners = [
      defined({ name: HTTP_LISTENER, port: 80, protocol: 'HTTP', allowedRoutes }),
      ...this.#tls.map(({ host, secret, namespace, listener }) =>
        defined({
          name: listener,
          hostname: host,
          port: 443,
          protocol: 'HTTPS',
          tls: { certificateRefs: [{ name: secret, ...(namespace === own ? {} : { namespace }) }] },
          allowedRoutes,
        }),
      ),
    ];
    const gateway = { ...head(GATEWAY_API, 'Gateway', GATEWAY_NAME, this.#namespace), spec: { gatewayClassName: 'serin', listeners } };
    const elsewhere = this.#tls.filter(({ namespace }) => namespace !== own);
    const grants = [...new Set(elsewhere.map(({ namespace }) => namespace))].map((namespace) => ({
      remarks: [`Lets the Gateway in ${own} show certificates of ${namespace}.`],
      document: {
        ...head('gateway.networking.k8s.io/v1beta1', 'ReferenceGrant', GATEWAY_NAME, namespace),
        spec: {
          from: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: own }],
          to: [...new Set(elsewhere.filter((tls) => tls.namespace === namespace).map(({ secret }) => secret))].map((name) => ({
            group: '',
            kind: 'Secret',
            name,
          })),
        },
      },
    }));
    return [
      {
        remarks: [
          'Ports 80 and 443 as ingress-nginx has them: serin up --listen 80=ADDR:PORT --listen 443=ADDR:PORT binds them elsewhere.',
        ],
        document: gateway,
      },
      ...grants,
    ];
  }
}
