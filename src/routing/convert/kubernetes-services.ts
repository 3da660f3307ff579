/**
 * Services as Kubernetes has them: each ServiceEntry's host as a Service with EndpointSlices, and one more for each subset of its DestinationRule, since a
 * backendRef names a Service and nothing inside it. An ExternalName stands for a name to look up.
 */
import { isIP } from 'node:net';
import { resolveHost } from '../../config/hosts.ts';
import {
  type EndpointSlice,
  type KubernetesService,
  type KubernetesServicePort,
  SERVICE_NAME_LABEL,
} from '../../config/kubernetes/types.ts';
import {
  HEALTH_CHECK_ANNOTATION,
  RUN_ANNOTATION,
  type ObjectMeta,
  type ServicePort,
  type WorkloadEntrySpec,
} from '../../config/resources.ts';
import { type Service, type ServiceIndex, serviceIndex, subsetEndpoints } from '../../config/services.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import { type Changes, spotOf } from './changes.ts';

/** A Service to refer to. */
export interface KubernetesBackend {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
  /** Why there is none: such a reference is invalid. */
  readonly missing?: string;
}

type Written = KubernetesService | EndpointSlice;

export class KubernetesServices {
  readonly #changes: Changes;
  readonly #index: ServiceIndex;
  /** Of hosts that are declared; `namespace/name`. */
  readonly #names = new Map<string, { readonly namespace: string; readonly name: string }>();
  readonly #taken = new Set<string>();
  readonly #subsets = new Map<string, string>();
  readonly #written: Written[] = [];
  /** Subsets of Services that nobody has declared, by the Service's name. */
  readonly #guessed = new Map<string, KubernetesService>();
  readonly #snapshot: Snapshot;

  constructor(snapshot: Snapshot, changes: Changes) {
    this.#changes = changes;
    this.#snapshot = snapshot;
    this.#index = serviceIndex(snapshot);
    for (const { metadata } of snapshot.kubernetesServices) this.#taken.add(`${metadata.namespace}/${metadata.name}`);
    const services = this.#index.services();
    // Names that are the Service's own by its host come before those that are made up.
    for (const service of services) {
      const own = kubernetesName(service.host);
      if (own !== undefined) this.#name(service, own);
    }
    for (const service of services) if (kubernetesName(service.host) === undefined) this.#nameExternal(service);
    for (const service of services) this.#write(service);
  }

  get resources(): readonly Written[] {
    return [...this.#written, ...this.#guessed.values()];
  }

  /** The Service that stands for a host, with its ports. */
  serviceOf(host: string): { readonly namespace: string; readonly name: string; readonly ports: readonly ServicePort[] } | undefined {
    const named = this.#names.get(host);
    const service = this.#index.service(host);
    return named === undefined || service === undefined ? undefined : { ...named, ports: service.ports };
  }

  /** Services that stand for a host and for its subsets. */
  allOf(host: string): readonly { readonly namespace: string; readonly name: string }[] {
    const named = this.#names.get(host);
    if (named === undefined) return [];
    const subsets = this.#index.destinationRule(host)?.subsets ?? [];
    const names = subsets.flatMap(({ name }) => this.#subsets.get(`${host}|${name}`) ?? []);
    return [named, ...names.map((name) => ({ namespace: named.namespace, name }))];
  }

  /** @param host In full. @param port As a destination states it. @param listenerPort What counts where a service has several (Istio). */
  backend(host: string, subset: string, port: number | undefined, listenerPort: number): KubernetesBackend {
    const service = this.#index.service(host);
    const named = this.#names.get(host);
    const [only, ...others] = service?.ports ?? [];
    const chosen = port ?? (only !== undefined && others.length === 0 ? only.number : listenerPort);
    if (service === undefined || named === undefined) return this.#undeclared(host, subset, chosen);
    const at = { namespace: named.namespace, port: chosen };
    const name = subset === '' ? named.name : this.#subsets.get(`${host}|${subset}`);
    if (name === undefined) {
      return { ...at, name: `${named.name}-${subset}`, missing: `no DestinationRule for ${host} has a subset ${subset}` };
    }
    if (!service.ports.some(({ number }) => number === chosen)) return { ...at, name, missing: `${host} has no port ${chosen}` };
    return { ...at, name };
  }

  #name({ host }: Service, at: { readonly namespace: string; readonly name: string }): void {
    this.#names.set(host, at);
    this.#taken.add(`${at.namespace}/${at.name}`);
  }

  #nameExternal({ host, namespace, entry }: Service): void {
    if (host.startsWith('*')) {
      this.#changes.leftOut(spotOf(this.#entryOf(entry)), `${host} has no equivalent: a Service has one name`);
      return;
    }
    const name = this.#free(namespace, entry.spec.hosts.length === 1 ? labelOf(entry.metadata.name) : labelOf(host));
    this.#names.set(host, { namespace, name });
    this.#changes.differs(
      spotOf(this.#entryOf(entry)),
      `${host} is the Service ${name}: callers of the mesh address it as ${resolveHost(name, namespace)}, not as ${host}`,
    );
  }

  #entryOf(entry: Service['entry']): Snapshot['serviceEntries'][number] {
    return { ...entry, kind: 'ServiceEntry' };
  }

  #free(namespace: string, wanted: string): string {
    let name = wanted;
    for (let count = 2; this.#taken.has(`${namespace}/${name}`); count++) name = `${wanted}-${count}`;
    this.#taken.add(`${namespace}/${name}`);
    return name;
  }

  #write(service: Service): void {
    const named = this.#names.get(service.host);
    if (named === undefined) return;
    const isEntry = service.entry.kind === 'ServiceEntry';
    if (isEntry) {
      this.#sayWhatIsLost(service);
      this.#writeOne(service, named, service.endpoints, undefined);
    }
    for (const subset of service.destinationRule?.subsets ?? []) {
      const name = this.#free(named.namespace, labelOf(`${named.name}-${subset.name}`));
      this.#subsets.set(`${service.host}|${subset.name}`, name);
      this.#writeOne(service, { namespace: named.namespace, name }, subsetEndpoints(service, subset), subset.labels ?? {});
    }
  }

  #sayWhatIsLost({ entry, host, processes, endpoints, resolution }: Service): void {
    const spot = spotOf(this.#entryOf(entry));
    const { addresses = [], subjectAltNames = [] } = entry.spec;
    if (addresses.length > 0)
      this.#changes.omitted(spot, `${host} has no addresses of its own: a Service is given its address by the cluster`);
    if (subjectAltNames.length > 0) this.#changes.omitted(spot, 'subjectAltNames have no equivalent');
    if (processes.length > 0) {
      const versions = processes.map(({ labels }) => labels['version']).join(', ');
      this.#changes.omitted(
        spot,
        `${RUN_ANNOTATION} has no equivalent: the Services have no endpoints of ${versions}, which Serin runs`,
        'deploy them, and give their Services a selector',
      );
    }
    if (entry.metadata.annotations?.[HEALTH_CHECK_ANNOTATION] !== undefined) {
      this.#changes.omitted(
        spot,
        `${HEALTH_CHECK_ANNOTATION} has no equivalent: nobody looks whether endpoints are healthy`,
        'give Pods a readinessProbe',
      );
    }
    if (new Set(endpoints.map(({ weight = 1 }) => weight)).size > 1) {
      this.#changes.omitted(spot, `weights of endpoints have no equivalent: those of ${host} all count the same`);
    }
    if (endpoints.some(({ locality = '' }) => /^[^/]+/.test(locality))) {
      this.#changes.omitted(spot, 'of the locality of an endpoint only the zone has an equivalent');
    }
    if (resolution !== 'STATIC') {
      this.#changes.differs(
        spot,
        `${host} is looked up, as a Service of type ExternalName, or by names among its endpoints, which many implementations refuse`,
        'give it endpoints with IP addresses where yours does',
      );
    }
  }

  /** @param labels Of a subset. */
  #writeOne(
    service: Service,
    { namespace, name }: { readonly namespace: string; readonly name: string },
    endpoints: readonly WorkloadEntrySpec[],
    labels: Readonly<Record<string, string>> | undefined,
  ): void {
    const { entry } = service;
    const { [RUN_ANNOTATION]: _run, [HEALTH_CHECK_ANNOTATION]: _check, ...others } = entry.metadata.annotations ?? {};
    const annotations = labels === undefined ? others : {};
    const metadata: ObjectMeta = {
      name,
      namespace,
      ...(labels === undefined && entry.metadata.labels !== undefined ? { labels: entry.metadata.labels } : {}),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    };
    const ports = servicePorts(service.ports);
    const common = { apiVersion: 'v1', kind: 'Service', metadata, origin: entry.origin } as const;
    const [first, ...more] = endpoints;
    const external =
      service.resolution === 'NONE' || service.resolution === 'DYNAMIC_DNS'
        ? { address: service.host }
        : more.length === 0 && first !== undefined && isIP(first.address ?? '') === 0
          ? first
          : undefined;
    if (external !== undefined && external.address !== resolveHost(name, namespace)) {
      const targets = ports.map((port, at) => ({ ...port, targetPort: portOf(external, service.ports[at]) }));
      this.#written.push({ ...common, spec: { type: 'ExternalName', externalName: external.address ?? '', ports: targets } });
      return;
    }
    // A Service that was one before has its selector; the labels of a version say more than that.
    const own = this.#snapshot.kubernetesServices.find(
      ({ metadata: { namespace: at, name: its } }) =>
        entry.kind === 'Service' && at === entry.metadata.namespace && its === entry.metadata.name,
    );
    const selector = own?.spec.selector === undefined ? undefined : { ...own.spec.selector, ...labels };
    this.#written.push({ ...common, spec: { ...(selector === undefined ? {} : { selector }), ports } });
    this.#written.push(...slices(service, metadata, endpoints, entry.origin));
  }

  /**
   * Nobody has said what the Service is: in a cluster it may be there all the same. A subset of it is a Service to make, which selects what the subset does.
   */
  #undeclared(host: string, subset: string, port: number): KubernetesBackend {
    const at = kubernetesName(host) ?? { namespace: 'default', name: labelOf(host) };
    const missing = `no service ${host}`;
    const rule = this.#index.destinationRule(host);
    const found = rule?.subsets.find(({ name }) => name === subset);
    if (subset === '' || found === undefined)
      return { ...at, name: subset === '' ? at.name : labelOf(`${at.name}-${subset}`), port, missing };
    const name = labelOf(`${at.name}-${subset}`);
    const known = this.#guessed.get(`${at.namespace}/${name}`);
    const ports = new Set([...(known?.spec.ports ?? []).map((each) => each.port), port]);
    const [resource] = rule?.resources ?? [];
    if (resource === undefined) return { ...at, name, port, missing };
    this.#guessed.set(`${at.namespace}/${name}`, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: at.namespace },
      spec: { selector: found.labels ?? {}, ports: [...ports].map((number) => ({ name: `http-${number}`, port: number })) },
      origin: resource.origin,
    });
    this.#changes.differs(
      spotOf(resource),
      `${host} is not declared here, so the Service ${name} selects by the labels of the subset alone`,
      `add what ${at.name} itself selects by`,
    );
    return { ...at, name, port };
  }
}

/** `NAME.NAMESPACE.svc.cluster.local`. */
function kubernetesName(host: string): { readonly namespace: string; readonly name: string } | undefined {
  const found = /^([a-z0-9][-a-z0-9]*)\.([a-z0-9][-a-z0-9]*)\.svc\.cluster\.local$/.exec(host);
  return found === null ? undefined : { name: found[1] ?? '', namespace: found[2] ?? '' };
}

/** A DNS label of what may be none. */
export function labelOf(text: string): string {
  const label = text
    .toLowerCase()
    .replaceAll(/[^-a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63);
  return /^[a-z]/.test(label) ? label : `s-${label}`.slice(0, 63);
}

const APP_PROTOCOL: Readonly<Record<string, string>> = { HTTP2: 'kubernetes.io/h2c', GRPC: 'grpc', 'GRPC-WEB': 'grpc' };

/** Named, since several ports have to be, and no two alike. */
function servicePorts(ports: readonly ServicePort[]): readonly KubernetesServicePort[] {
  const names = portNames(ports);
  return ports.map(({ number, protocol = 'HTTP', targetPort }, at) => {
    const appProtocol = APP_PROTOCOL[protocol.toUpperCase()];
    return {
      name: names[at] ?? '',
      ...(appProtocol === undefined ? {} : { appProtocol }),
      port: number,
      ...(targetPort === undefined ? {} : { targetPort }),
    };
  });
}

function portNames(ports: readonly ServicePort[]): readonly string[] {
  const labels = ports.map(({ name = 'http' }) => labelOf(name));
  return labels.map((label, at) => (labels.indexOf(label) === at ? label : labelOf(`${label}-${ports[at]?.number ?? at}`)));
}

function portOf({ ports }: WorkloadEntrySpec, port: ServicePort | undefined): number {
  const named = port?.name === undefined ? undefined : ports?.[port.name];
  return named ?? port?.targetPort ?? port?.number ?? 0;
}

/** One for each kind of address, set of ports, and labels: subsets go by the labels of slices. */
function slices(
  service: Service,
  { name, namespace }: ObjectMeta,
  endpoints: readonly WorkloadEntrySpec[],
  origin: EndpointSlice['origin'],
): readonly EndpointSlice[] {
  const names = portNames(service.ports);
  const groups = new Map<string, EndpointSlice['spec'] & { readonly labels: Readonly<Record<string, string>> }>();
  for (const endpoint of endpoints) {
    const { address = '', labels = {}, locality = '' } = endpoint;
    const version = isIP(address);
    const addressType = version === 0 ? 'FQDN' : version === 4 ? 'IPv4' : 'IPv6';
    const ports = service.ports.map((port, at) => ({ name: names[at] ?? '', port: portOf(endpoint, port) }));
    const zone = locality.split('/')[1] ?? '';
    const key = JSON.stringify([addressType, ports, labels]);
    const known = groups.get(key);
    const added = { addresses: [address], ...(zone === '' ? {} : { zone }) };
    groups.set(key, { addressType, labels, ports, endpoints: [...(known?.endpoints ?? []), added] });
  }
  return [...groups.values()].map(({ labels, ...spec }, at): EndpointSlice => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-${at + 1}`, namespace, labels: { ...labels, [SERVICE_NAME_LABEL]: name } },
    spec,
    origin,
  }));
}
