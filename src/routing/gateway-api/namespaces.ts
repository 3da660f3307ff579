/** Which namespaces a Gateway lets routes and ListenerSets come from (`from`, `selector`). */
import type { LabelSelector } from '../../config/gateway-api/types.ts';
import type { KubernetesNamespace } from '../../config/kubernetes/types.ts';

/** Kubernetes puts it on every namespace; it holds here for those that nobody has declared, too. */
const NAME_LABEL = 'kubernetes.io/metadata.name';

type Labels = Readonly<Record<string, string>>;

export interface AllowedNamespaces {
  readonly from?: 'All' | 'Selector' | 'Same' | 'None';
  readonly selector?: LabelSelector;
}

export class Namespaces {
  readonly #labels: ReadonlyMap<string, Labels>;

  constructor(declared: readonly KubernetesNamespace[]) {
    this.#labels = new Map(declared.map(({ metadata }) => [metadata.name, { ...metadata.labels, [NAME_LABEL]: metadata.name }]));
  }

  /** @param own Where what allows stands. */
  allows({ from, selector }: AllowedNamespaces, own: string, candidate: string): boolean {
    switch (from) {
      case 'All':
        return true;
      case 'Same':
        return own === candidate;
      case 'Selector':
        return selector !== undefined && isSelected(selector, this.#labels.get(candidate) ?? { [NAME_LABEL]: candidate });
      default:
        return false;
    }
  }
}

/** As Kubernetes has it (meta/v1, LabelSelector): everything is ANDed, and an empty selector selects all. */
function isSelected({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => valueOf(labels, key) === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = valueOf(labels, key);
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        case 'Exists':
          return value !== undefined;
        case 'DoesNotExist':
          return value === undefined;
        default:
          return false;
      }
    })
  );
}

function valueOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
