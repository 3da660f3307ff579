/** One of the proxies the benchmark compares: how it is started with two backends behind it, 90 % to the first and 10 % to the second. */
import type { Child } from '../child.ts';

export interface Backends {
  /** Ports on 127.0.0.1. */
  readonly v1: number;
  readonly v2: number;
}

export interface Place {
  /** An empty directory of its own for configuration and logs; removed afterwards. */
  readonly directory: string;
  readonly backends: Backends;
}

export interface RunningProxy {
  readonly port: number;
  readonly child: Child;
}

export interface ProxyKind {
  readonly name: string;
  /** How to get what is missing; undefined when everything is there. */
  readonly missing: string | undefined;
  /** Resolves when it takes connections. */
  readonly start: (place: Place) => Promise<RunningProxy>;
}
