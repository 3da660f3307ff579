/** Step 5 of a request's life: what the head that goes upstream is made of. */
import type { RequestHead } from '../http/request-head.ts';
import type { Hit } from '../routing/matcher.ts';
import { rewritePath } from '../routing/rewrite.ts';
import type { DataPlaneSettings } from './options.ts';
import type { IncomingRequest } from './incoming-request.ts';
import type { RequestRewrite } from './request-text.ts';
import type { ClusterChoice, SettledOps } from './route-runtime.ts';

/** What a rewritten path must not hold: it could end the request line. */
const UNSAFE_TARGET = /[^\x21-\x7e]|#/;

/** Of the client's connection. */
export interface Passer {
  readonly scheme: 'http' | 'https';
  readonly peerAddress: string;
  readonly isTrustedPeer: boolean;
  /** Lines that say who asked and who passes it on: the same for every request of the connection. */
  readonly identityLines: string;
}

/**
 * @param ops    The choice's operations, settled.
 * @param lines  Appended behind the identity: request id, header operations.
 * @returns      undefined when the rewritten path must not be sent.
 */
export function upstreamRewrite(
  head: RequestHead,
  request: IncomingRequest,
  passer: Passer,
  { match }: Hit,
  choice: ClusterChoice,
  settings: DataPlaneSettings,
  ops: SettledOps,
  lines: string,
): RequestRewrite | undefined {
  let { path } = request;
  const { rewrite } = choice;
  let appended = passer.identityLines;
  if (rewrite !== undefined) {
    path = rewritePath(rewrite, match, path);
    if (path !== request.path) appended += `x-envoy-original-path: ${request.withQuery(request.path)}\r\n`;
  }
  const isOriginForm = head.bytes[head.targetStart] === 0x2f;
  const { preview } = request;
  const isRaw =
    head.targetClass === 0 && path === request.path && isOriginForm && !settings.path.mergeSlashes && preview?.query === undefined;
  if (!isRaw && UNSAFE_TARGET.test(path)) return undefined;
  if (preview?.cookies !== undefined && !ops.drop.includes('cookie')) appended += `cookie: ${preview.cookies}\r\n`;
  const isHostKept = choice.hostRewrite === undefined && head.hostField !== -1 && isOriginForm;
  const host = choice.hostRewrite ?? (request.authority === '' ? choice.cluster.cluster.host : request.authority);
  return {
    target: isRaw ? undefined : request.withQuery(path),
    host: isHostKept ? undefined : host,
    nominated: request.nominated,
    ops,
    keepsUnderscoreNames: settings.underscoreNames === 'keep',
    isTrustedPeer: passer.isTrustedPeer,
    peerAddress: passer.peerAddress,
    scheme: passer.scheme,
    appended: appended + lines,
  };
}
