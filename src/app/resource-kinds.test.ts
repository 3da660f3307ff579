import { describe, expect, test } from 'vitest';
import { EMPTY_SNAPSHOT } from '../config/snapshot.ts';
import { findKind, kindsAt, pathName, RESOURCE_KINDS } from './resource-kinds.ts';

const ISTIO = 'gateways.networking.istio.io';
const GATEWAY_API = 'gateways.gateway.networking.k8s.io';

describe('a kind a user writes', () => {
  test.each([
    ['vs', 'virtualservices'],
    ['HTTPRoute', 'httproutes'],
    ['gc', 'gatewayclasses'],
    ['svc', 'services'],
    ['cm', 'configmaps'],
    ['ns', 'namespaces'],
    ['refgrant', 'referencegrants'],
    ['btlspolicy', 'backendtlspolicies'],
    ['gw', 'gateways'],
    ['gateway', 'gateways'],
    ['gateway.networking.istio.io', ISTIO],
    ['gw.gateway.networking.k8s.io', GATEWAY_API],
    ['httproute.gateway.networking.k8s.io', 'httproutes'],
    ['endpointslices.discovery.k8s.io', 'endpointslices'],
    ['rollouts.serin.dev', 'rollouts'],
    ['ep', 'endpoints'],
  ])('%s is %s in paths', (written, path) => {
    expect(findKind(written)).toMatchObject({ path });
  });

  test.each([
    ['httprout', 'httproute'],
    ['gatewayclas', 'gatewayclass'],
    ['gateways.gateway.networking.k8s.oi', GATEWAY_API],
    ['vs.gateway.networking.k8s.io', 'virtualservices.networking.istio.io'],
    ['services.apps', 'services'],
    ['nothing.at.all', undefined],
  ])('%s is none; the nearest is %s', (written, nearest) => {
    expect(findKind(written)).toEqual({ nearest });
  });
});

test('without a group a plural means every kind that has it, in a path', () => {
  expect(kindsAt('gateways').map(({ kind }) => kind)).toEqual(['Gateway', 'GatewayApiGateway']);
  expect(kindsAt(ISTIO).map(({ kind }) => kind)).toEqual(['Gateway']);
  expect(kindsAt(GATEWAY_API).map(({ kind }) => kind)).toEqual(['GatewayApiGateway']);
  expect(kindsAt('gateway')).toEqual([]);
});

test('every kind has a path of its own, and every list of a snapshot its kind', () => {
  expect(RESOURCE_KINDS.map((kind) => kindsAt(pathName(kind)))).toEqual(RESOURCE_KINDS.map((kind) => [kind]));
  const { version: _version, releases: _releases, ...lists } = EMPTY_SNAPSHOT;
  // Each list is another array, so that a kind with the list of another one is found.
  const snapshot = Object.fromEntries(Object.keys(lists).map((key) => [key, [key]]));
  const listed = RESOURCE_KINDS.map((kind) => kind.list({ ...EMPTY_SNAPSHOT, ...snapshot }));
  expect(new Set(listed.flat()).size).toBe(Object.keys(lists).length);
});
