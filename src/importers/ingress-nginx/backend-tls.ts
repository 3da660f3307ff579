/** backend-protocol and proxy-ssl-…: what is spoken to a Service, as the DestinationRule that says the same. */
import { defined, head, type Output } from '../emit.ts';
import type { BackendRef, Ingress, ServicePorts } from './ingress.ts';

const SPEAKS_HTTP2 = /^(?:kubernetes\.io\/h2c|h2c|http2|grpc)$/i;

export class BackendProtocols {
  readonly #services: ServicePorts;
  /** By `namespace/name`. */
  readonly #rules = new Map<
    string,
    { readonly backend: BackendRef; readonly namespace: string | undefined; readonly ports: Map<number, object> }
  >();

  constructor(services: ServicePorts) {
    this.#services = services;
  }

  /** @returns False where it cannot be spoken at all. */
  add({ annotations, namespace }: Ingress, backends: readonly BackendRef[]): boolean {
    const protocol = (annotations.text('backend-protocol') ?? 'HTTP').toUpperCase();
    const field = annotations.field('backend-protocol');
    const tls = tlsOf({ annotations, namespace }, protocol === 'HTTPS' || protocol === 'GRPCS');
    if (!['HTTP', 'AUTO_HTTP', 'HTTPS', 'GRPC', 'GRPCS'].includes(protocol)) {
      field.noEquivalent(`${protocol} is not spoken; the paths answer 500`, 'put a server that speaks HTTP before the service');
      return false;
    }
    if (protocol.startsWith('GRPC')) {
      for (const { name, port } of backends) {
        const known = this.#services.get(`${namespace ?? 'default'}/${name}`)?.find((candidate) => candidate.port === port);
        if (known !== undefined && SPEAKS_HTTP2.test(known.protocol)) continue;
        field.differs(
          `the Service says what is spoken to it: port ${port} of ${name} needs appProtocol: kubernetes.io/h2c`,
          'or use a GRPCRoute in the place of the HTTPRoute',
        );
      }
    }
    if (tls === undefined) return true;
    for (const backend of backends) {
      const key = `${namespace ?? 'default'}/${backend.name}`;
      const rule = this.#rules.get(key) ?? { backend, namespace, ports: new Map<number, object>() };
      rule.ports.set(backend.port, tls);
      this.#rules.set(key, rule);
    }
    return true;
  }

  outputs(): readonly Output[] {
    return [...this.#rules.values()].map(({ backend, namespace, ports }) => ({
      remarks: [`TLS to ${backend.name}, as backend-protocol asks for it.`],
      document: {
        ...head('networking.istio.io/v1', 'DestinationRule', backend.name, namespace),
        spec: {
          host: backend.name,
          trafficPolicy: { portLevelSettings: [...ports].map(([number, tls]) => ({ port: { number }, tls })) },
        },
      },
    }));
  }
}

function tlsOf({ annotations, namespace }: Pick<Ingress, 'annotations' | 'namespace'>, isOn: boolean): object | undefined {
  const isOnByWord = (name: string): boolean => annotations.text(name) === 'on';
  const secret = annotations.text('proxy-ssl-secret');
  const name = annotations.text('proxy-ssl-name');
  const isVerified = isOnByWord('proxy-ssl-verify');
  const sendsName = isOnByWord('proxy-ssl-server-name');
  if (!isOn) return undefined;
  const [secretNamespace, credentialName] = secret?.includes('/') === true ? secret.split('/') : [namespace ?? 'default', secret];
  if (credentialName !== undefined && secretNamespace !== (namespace ?? 'default'))
    annotations.field('proxy-ssl-secret').missing(`Secret ${secret ?? ''} is in another namespace than the Service; copy it there`);
  if (!isVerified)
    annotations
      .field('backend-protocol')
      .differs(
        'nobody verifies the certificate of the backend, as in nginx',
        'take insecureSkipVerify out of the DestinationRule once its CA is known',
      );
  return defined({
    mode: credentialName === undefined ? 'SIMPLE' : 'MUTUAL',
    credentialName,
    sni: sendsName ? name : undefined,
    subjectAltNames: isVerified && name !== undefined ? [name] : undefined,
    insecureSkipVerify: isVerified ? undefined : true,
  });
}
