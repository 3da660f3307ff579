/** Endpoints as seen from a place: weights of `distribute`, priorities of `failover` and `failoverPriority`. */
import { describe, expect, test } from 'vitest';
import type { LocalityLbSetting } from '../config/resources.ts';
import { byLocality, type PlacedEndpoint } from './locality.ts';

const endpoint = (locality: string, weight = 1, labels: Readonly<Record<string, string>> = {}): PlacedEndpoint => ({
  address: locality.replaceAll('/', '-'),
  port: 80,
  weight,
  labels,
  ...(locality === '' ? {} : { locality }),
});
const OWN = 'us/z1/a';
const ENDPOINTS = ['us/z1/a', 'us/z1/b', 'us/z2/a', 'eu/z1/a', 'asia/z1/a'].map((locality) => endpoint(locality));

/** `us-z1-a: weight@priority` */
function seen(setting: LocalityLbSetting | undefined, endpoints = ENDPOINTS, own: string | undefined = OWN, isWatched = true): string[] {
  return byLocality(endpoints, setting, own, isWatched).map(({ address, weight, priority = 0 }) => `${address}: ${weight}@${priority}`);
}

const FLAT = ['us-z1-a: 1@0', 'us-z1-b: 1@0', 'us-z2-a: 1@0', 'eu-z1-a: 1@0', 'asia-z1-a: 1@0'];
const NEAR = ['us-z1-a: 1@0', 'us-z1-b: 1@1', 'us-z2-a: 1@2', 'eu-z1-a: 1@3', 'asia-z1-a: 1@3'];

describe('failover', () => {
  test.each<[what: string, setting: LocalityLbSetting | undefined, expected: string[]]>([
    ['near first, without a setting, where endpoints are watched', undefined, NEAR],
    ['switched off', { enabled: false }, FLAT],
    [
      'a region that is named comes before the others',
      { failover: [{ from: 'us', to: 'asia' }] },
      [...NEAR.slice(0, 3), 'eu-z1-a: 1@4', 'asia-z1-a: 1@3'],
    ],
    ['of another region it says nothing', { failover: [{ from: 'eu', to: 'us' }] }, NEAR],
  ])('%s', (_what, setting, expected) => {
    expect(seen(setting)).toEqual(expected);
  });

  test('needs outlier detection, and a place', () => {
    expect(seen(undefined, ENDPOINTS, OWN, false)).toEqual(FLAT);
    expect(byLocality(ENDPOINTS, undefined, undefined, true)).toHaveLength(5);
  });

  test('priorities have no gaps', () => {
    expect(seen(undefined, [endpoint('us/z2/a'), endpoint('eu/z1/a')])).toEqual(['us-z2-a: 1@0', 'eu-z1-a: 1@1']);
  });

  test('by labels, in their order; a value that is stated stands for our own', () => {
    const pod = (labels: Record<string, string>): PlacedEndpoint => ({
      ...endpoint('us/z1/a', 1, labels),
      address: Object.values(labels).join(''),
    });
    const endpoints = [pod({ network: 'n1', version: 'v1' }), pod({ network: 'n1', version: 'v2' }), pod({ network: 'n2', version: 'v1' })];
    expect(seen({ failoverPriority: ['network=n1', 'version=v1'] }, endpoints)).toEqual(['n1v1: 1@0', 'n1v2: 1@1', 'n2v1: 1@2']);
    expect(seen({ failoverPriority: ['topology.kubernetes.io/region', 'topology.kubernetes.io/zone'] })).toEqual([
      'us-z1-a: 1@0',
      'us-z1-b: 1@0',
      'us-z2-a: 1@1',
      'eu-z1-a: 1@2',
      'asia-z1-a: 1@2',
    ]);
  });
});

describe('distribute', () => {
  test('a share for each locality, by weight within it, none for the others', () => {
    const endpoints = [endpoint('us/z1/a', 1), endpoint('us/z1/b', 3), endpoint('us/z2/a', 1), endpoint('eu/z1/a', 1)];
    expect(seen({ distribute: [{ from: 'us/z1/*', to: { 'us/z1/*': 80, 'us/z2/*': 20 } }] }, endpoints)).toEqual([
      'us-z1-a: 20000@0',
      'us-z1-b: 60000@0',
      'us-z2-a: 20000@0',
    ]);
  });

  test('a rule for requests from elsewhere changes nothing', () => {
    expect(seen({ distribute: [{ from: 'eu/*', to: { 'eu/*': 100 } }] })).toEqual(FLAT);
  });
});
