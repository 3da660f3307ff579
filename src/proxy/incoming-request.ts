/**
 * What a request asks for, read once from its head, and whether a proxy does that at all (method, expectation, target, loop): step 1 of its life.
 * One object a connection, used again for each request.
 */
import { TARGET_DOT, TARGET_PERCENT } from '../http/char-class.ts';
import { nominatedFields } from '../http/connection-options.ts';
import { FieldKind, isIdentityName } from '../http/field-kind.ts';
import { REQUEST_ERRORS } from '../http/http-error.ts';
import { RequestHead } from '../http/request-head.ts';
import { upgradeAsked } from '../http/upgrade.ts';
import { hasValidTriplets, normalizePath, parseAbsoluteTarget } from '../http/target.ts';
import type { PreviewUse } from '../routing/preview.ts';
import type { RequestView } from '../routing/request-view.ts';
import type { Failure } from './answer.ts';
import type { DataPlaneSettings } from './options.ts';
import { findPreview, PREVIEW_FIELDS, previewHeader, type WallClock } from './preview.ts';
import type { Passer } from './upstream-head.ts';

const MAX_LOOPS = 5;
const NO_NAMES: readonly string[] = [];

export class IncomingRequest implements RequestView {
  method = '';
  authority = '';
  path = '';
  query = '';
  readonly scheme: 'http' | 'https';
  isHttp10 = false;
  /** A gRPC call: whoever answers it says so in gRPC's words. */
  isGrpc = false;
  /** The client waits for a 100 before it sends its body. */
  expectsContinue = false;
  /** The protocol it asks to go on with, lower case; empty where it asks for none that is passed on. */
  upgrade = '';
  /** Names the client's Connection field takes away. */
  nominated: readonly string[] = NO_NAMES;
  /** What it says about previews; taken off the rest. */
  preview: PreviewUse | undefined;
  /** Whether the target has a `?`, be it with nothing behind. */
  #hasQuery = false;
  /** As it goes upstream, where the answer's operations may ask for it. */
  sent: RequestHead | undefined;
  #head: RequestHead | undefined;
  readonly #settings: DataPlaneSettings;
  readonly #passer: Passer;

  /** @param passer  The connection it comes on. */
  constructor(settings: DataPlaneSettings, passer: Passer) {
    this.#settings = settings;
    this.#passer = passer;
    this.scheme = passer.scheme;
  }

  /** @param head  It and its bytes are looked at until `release` or `keepSent`. */
  begin(head: RequestHead): void {
    this.#head = head;
    this.method = head.method;
    this.authority = '';
    this.isHttp10 = head.minor === 0;
    this.expectsContinue = false;
    this.nominated = NO_NAMES;
    this.upgrade = '';
    this.preview = undefined;
  }

  /** Its bytes go away; headers are missing from here on. */
  release(): void {
    this.#head = undefined;
    this.sent = undefined;
  }

  /** As `release`, but what goes upstream is asked for later. @param text  Complete head. */
  keepSent(text: string): void {
    this.#head = undefined;
    const sent = new RequestHead();
    const bytes = Buffer.from(text, 'latin1');
    sent.reset(bytes, 0);
    sent.scan(bytes.length);
    this.sent = sent;
  }

  header(name: string): string | undefined {
    const { preview } = this;
    if (preview !== undefined && PREVIEW_FIELDS.includes(name)) return previewHeader(preview, name);
    return isIdentityName(name) ? this.#identity(name) : this.#head?.joined(name);
  }

  /** The first value of a header where there are several. */
  first(name: string): string | undefined {
    const isAsSent = (this.preview === undefined || !PREVIEW_FIELDS.includes(name)) && !isIdentityName(name);
    return isAsSent ? this.#head?.first(name) : this.header(name);
  }

  /** Rules go by what the upstream is told, not by what a stranger says of itself (reliability P41). */
  #identity(name: string): string | undefined {
    const { isTrustedPeer, peerAddress, identityLines } = this.#passer;
    if (!isTrustedPeer) return lineOf(identityLines, name);
    const said = this.#head?.joined(name);
    if (name === 'x-forwarded-for') return said === undefined ? peerAddress : `${said}, ${peerAddress}`;
    return said ?? (name === 'x-forwarded-proto' ? this.scheme : lineOf(identityLines, name));
  }

  /** Takes off what the request says about previews, before anything looks at it. Once, after `admit`. */
  takePreview(head: RequestHead, clock: WallClock): void {
    if (!this.#hasQuery && !head.hasCookie && !head.hasIdentity) return;
    const preview = findPreview(head, this.query, this.#settings.previewKey, clock);
    if (preview === undefined) return;
    this.preview = preview;
    this.nominated = [...this.nominated, ...PREVIEW_FIELDS];
    if (preview.query === undefined) return;
    this.query = preview.query;
    this.#hasQuery = preview.query !== '';
  }

  /** Fields that do not go upstream as they came. @param names  In lower case. */
  drop(names: readonly string[]): void {
    if (names.length > 0) this.nominated = [...this.nominated, ...names];
  }

  /** With the request's own query. */
  withQuery(path: string): string {
    return this.#hasQuery ? `${path}?${this.query}` : path;
  }

  /**
   * What the protocol itself settles. Sets method, authority, path and query.
   *
   * @returns Why it is refused; `options` where the proxy is to answer for the origin (RFC 9110 §9.3.7).
   */
  admit(head: RequestHead): Failure | 'options' | undefined {
    const target = this.#readTarget(head);
    if (target !== undefined) return target;
    if (this.isHttp10 && head.hasBody && this.method !== 'POST' && this.method !== 'PUT' && this.method !== 'PATCH') {
      return REQUEST_ERRORS.bodyIn10;
    }
    if (head.hasUnderscore && this.#settings.underscoreNames === 'reject') return REQUEST_ERRORS.underscore;
    if (head.hasExpect && !this.isHttp10) {
      for (let field = 0; field < head.fieldCount; field++) {
        if (head.kind(field) === FieldKind.expect && head.value(field).toLowerCase() !== '100-continue') return REQUEST_ERRORS.expectation;
      }
      this.expectsContinue = head.hasBody;
    }
    if (head.hasVia && this.#isLooping(head)) return REQUEST_ERRORS.loop;
    if (head.hasConnectionOptions) {
      const nominated = nominatedFields(head);
      if (nominated === 'refused') return REQUEST_ERRORS.connectionNomination;
      this.nominated = nominated;
      const upgrade = head.hasUpgrade ? upgradeAsked(head, this.#settings.upgrades) : 'none';
      if (upgrade === 'bad') return REQUEST_ERRORS.upgrade;
      if (upgrade !== 'none') this.upgrade = upgrade.protocol;
    }
    if (this.method === 'TRACE' || this.method === 'OPTIONS') return this.#admitMaxForwards(head);
    return undefined;
  }

  #readTarget(head: RequestHead): Failure | 'options' | undefined {
    const first = head.bytes[head.targetStart];
    this.authority = head.hostField === -1 ? '' : head.value(head.hostField);
    if (this.method === 'CONNECT') return first === 0x2f ? REQUEST_ERRORS.target : REQUEST_ERRORS.method;
    if (first === 0x2f) {
      if (head.targetClass === 0) {
        this.path = head.bytes.latin1Slice(head.targetStart, head.queryStart);
        this.#hasQuery = head.queryStart < head.targetEnd;
        this.query = this.#hasQuery ? head.bytes.latin1Slice(head.queryStart + 1, head.targetEnd) : '';
        return this.#settings.path.mergeSlashes ? this.#setTarget(this.withQuery(this.path), 0) : undefined;
      }
      return this.#setTarget(head.target, head.targetClass);
    }
    const target = head.target;
    if (target === '*' && this.method === 'OPTIONS') {
      this.path = '*';
      this.query = '';
      this.#hasQuery = false;
      return 'options';
    }
    const absolute = parseAbsoluteTarget(target);
    if (absolute === undefined) return REQUEST_ERRORS.target;
    // RFC 9112 §3.2.2: the target's authority is used and the received Host ignored.
    this.authority = absolute.authority;
    return this.#setTarget(absolute.rest, TARGET_PERCENT | TARGET_DOT);
  }

  #setTarget(target: string, targetClass: number): Failure | undefined {
    if ((targetClass & TARGET_PERCENT) !== 0 && !hasValidTriplets(target)) return REQUEST_ERRORS.target;
    const question = target.indexOf('?');
    this.#hasQuery = question !== -1;
    this.query = this.#hasQuery ? target.slice(question + 1) : '';
    const path = normalizePath(question === -1 ? target : target.slice(0, question), this.#settings.path);
    if (typeof path !== 'string') return path;
    this.path = path;
    return undefined;
  }

  #isLooping(head: RequestHead): boolean {
    const via = head.joined('via') ?? '';
    return via.split(this.#settings.viaName).length - 1 > MAX_LOOPS;
  }

  /** RFC 9110 §7.6.2: at 0 the proxy answers for the origin. */
  #admitMaxForwards(head: RequestHead): Failure | 'options' | undefined {
    if (head.maxForwardsField !== -1) {
      // All of them: a second one would be counted down unseen.
      const value = head.joined('max-forwards') ?? '';
      if (!/^\d{1,9}$/.test(value)) return REQUEST_ERRORS.maxForwards;
      if (this.method === 'OPTIONS' && Number(value) === 0) return 'options';
    }
    return this.method === 'TRACE' ? REQUEST_ERRORS.method : undefined;
  }
}

/** The value of one of several complete lines. @param name  As it is spelt there. */
function lineOf(lines: string, name: string): string | undefined {
  const line = lines.split('\r\n').find((each) => each.startsWith(`${name}: `));
  return line?.slice(name.length + 2);
}
