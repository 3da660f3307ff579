/**
 * How a request is sent: to the version that was drawn, as often as its route's policy has it, each time with the failures drawn for it; at last to stable, where
 * its release wants that.
 *
 *   begin ──choose, start──> attempt ──> sent ──an answer that is passed on──> end
 *                               ^          │ lost, or an answer that is not passed on
 *                               │          ├── again: after a pause
 *                               │          ├── stable: at once, as another choice
 *                               └──────────┘── neither: `onGivenUp`
 *
 * It owns what one attempt leaves to the next: the choice, the endpoints that were tried, the head as it goes upstream, the parser of answers, what is held of budgets
 * and limits, and what of it all is counted (attempt-outcome.ts). The request owns its phase, its answer and its deadlines. One object a client connection, used again.
 */
import type { ResponseHead } from '../http/response-head.ts';
import type { FaultInjection, InjectedAbort } from '../routing/table.ts';
import { DELAY_INJECTED, FELL_BACK, NOTHING_BESIDE, RETRIES_USED_UP } from '../telemetry/response-flag.ts';
import type { FlagsBeside, ResponseFlag } from '../telemetry/response-flag.ts';
import { FAILURES } from './answer.ts';
import type { Failure } from './answer.ts';
import { AttemptOutcome } from './attempt-outcome.ts';
import type { Destined } from './attempt-outcome.ts';
import { AttemptTimer } from './attempt-timer.ts';
import type { AttemptTimes } from './attempt-timer.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import type { ClusterRuntime, EndpointRuntime } from './cluster-runtime.ts';
import type { DataPlaneContext } from './context.ts';
import { drawAbort, drawDelay } from './fault.ts';
import type { IncomingRequest } from './incoming-request.ts';
import type { ProxiedConnection } from './proxied-connection.ts';
import { attemptText } from './request-text.ts';
import type { RequestTrace } from './request-trace.ts';
import { ResponseScanner } from './response-scanner.ts';
import type { LostAttempt, RetryRules } from './retry-rules.ts';
import { RetryState } from './retry-state.ts';
import type { ClusterChoice } from './route-runtime.ts';
import type { Seat, Sessions } from './sessions.ts';
import { UnwantedAnswer } from './unwanted-answer.ts';
import type { Upload } from './upload.ts';
import type { UpstreamLoss, UpstreamUser } from './upstream-link.ts';
import { IDEMPOTENT } from './upstream-rules.ts';
import { UpstreamSide } from './upstream-side.ts';

/** The request they are made for. */
export interface AttemptsUser extends UpstreamUser {
  readonly startedAt: number;
  /** It has not been answered, and nobody has ended it. */
  readonly isWaiting: boolean;
  /** No attempt is left. */
  onGivenUp(failure: Failure): void;
  /** A failure made on purpose takes the place of an attempt. */
  onAborted(abort: InjectedAbort): void;
  /** It waits for something else than before. */
  onTurn(): void;
}

/** Of the client's connection. */
export interface AttemptsHost {
  readonly context: DataPlaneContext;
  readonly connection: ProxiedConnection;
  readonly httpVersion: 'HTTP/1.1' | 'HTTP/2';
}

export class Attempts implements AttemptTimes, Destined {
  readonly #context: DataPlaneContext;
  readonly #user: AttemptsUser;
  readonly #request: IncomingRequest;
  readonly #upload: Upload;
  readonly #trace: RequestTrace | undefined;
  readonly #timer: AttemptTimer;

  /** The version this attempt goes to. */
  choice: ClusterChoice | undefined;
  /** The version that failed, once stable answers in its place. */
  fallenFrom: ClusterChoice | undefined;
  readonly upstream: UpstreamSide;
  readonly scanner: ResponseScanner;
  readonly outcome = new AttemptOutcome(this);
  /** Of the key its endpoint is chosen by. */
  hash: number | undefined;
  /** Of a route that keeps clients at their endpoint; where this one's is, if it has one. */
  sessions: Sessions | undefined;
  seat: Seat | undefined;
  /** An attempt there has failed. */
  #hasLeftSeat = false;
  readonly #retry = new RetryState();
  /** Counts the request among its cluster's. */
  #countedAt: CircuitBreaker | undefined;
  #text = '';
  /** What stable gets should this version fail the request; empty where it gets nothing. */
  #fallbackText = '';
  /** Undefined once it has been drawn for the last time. */
  #fault: FaultInjection | undefined;
  /** What this attempt is answered with instead of being sent. */
  #abort: InjectedAbort | undefined;
  #isBackingOff = false;
  #also: FlagsBeside = NOTHING_BESIDE;
  readonly #unwanted = new UnwantedAnswer();

  constructor(host: AttemptsHost, user: AttemptsUser, request: IncomingRequest, upload: Upload, trace: RequestTrace | undefined) {
    this.#context = host.context;
    this.#user = user;
    this.#request = request;
    this.#upload = upload;
    this.#trace = trace;
    this.upstream = new UpstreamSide(host.context, user, host.connection, host.httpVersion === 'HTTP/2');
    this.scanner = new ResponseScanner(host.context);
    this.#timer = new AttemptTimer(host.context, this);
  }

  begin(): void {
    this.choice = undefined;
    this.fallenFrom = undefined;
    this.upstream.begin();
    this.scanner.reset();
    this.hash = undefined;
    this.sessions = undefined;
    this.seat = undefined;
    this.#hasLeftSeat = false;
    this.#retry.begin();
    this.#countedAt = undefined;
    this.#fallbackText = '';
    this.#fault = undefined;
    this.#abort = undefined;
    this.#isBackingOff = false;
    this.outcome.begin();
    this.#also = NOTHING_BESIDE;
  }

  get endpoint(): EndpointRuntime | undefined {
    return this.upstream.endpoint;
  }

  get also(): FlagsBeside {
    return this.#retry.isUsedUp ? this.#also | RETRIES_USED_UP : this.#also;
  }

  /** Made so far; 0 while there is no endpoint for any. */
  get made(): number {
    return this.upstream.endpoint === undefined ? 0 : this.#retry.made + 1;
  }

  /** Whether attempts are told apart: a policy says that there may be more. */
  get areCounted(): boolean {
    return this.#retry.rules !== undefined;
  }

  /** A pause before the first attempt, which no timeout sees. */
  get isDelayedBeforeRouter(): boolean {
    return this.#timer.isPaused && this.#fault === undefined && !this.#isBackingOff;
  }

  choose(choice: ClusterChoice): void {
    this.choice = choice;
    choice.cluster.counters.activeAdd(1);
  }

  adopt(rules: RetryRules, { cluster }: ClusterChoice): void {
    this.#retry.adopt(rules, cluster.retryBudget, this.#request.method);
    if (this.#retry.keepsBody) this.#upload.keep();
  }

  /** @param text  Complete head. @param fallbackText  For stable; empty where it gets nothing. */
  start(text: string, fallbackText: string, fault: FaultInjection | undefined): void {
    this.#text = text;
    this.#fallbackText = fallbackText;
    this.#fault = fault;
    this.#attempt();
  }

  // --- one attempt ----------------------------------------------------------------------------------------------------------------------

  /** With the failures drawn for it, or to the upstream. */
  #attempt(): void {
    const fault = this.#fault;
    if (fault === undefined) {
      this.#connect();
      return;
    }
    const { random } = this.#context;
    const delayMs = drawDelay(fault, random);
    this.#abort = drawAbort(fault, random);
    if (fault.isBeforeRouter) this.#fault = undefined;
    if (delayMs === 0) {
      this.#connectOrAbort();
      return;
    }
    // What was done on purpose says nothing about a version.
    this.outcome.isCounted = true;
    this.#also |= DELAY_INJECTED;
    this.#timer.pause(delayMs);
  }

  #connectOrAbort(): void {
    const abort = this.#abort;
    if (abort === undefined) {
      this.#connect();
      return;
    }
    this.#abort = undefined;
    this.outcome.isCounted = true;
    const { rules } = this.#retry;
    const isCovered =
      rules?.coversStatus(abort.status) === true || (this.#request.isGrpc && rules?.coversGrpcStatus(String(abort.grpcStatus)) === true);
    // Without a fault that is to be drawn again the router has not been reached: nobody tries again.
    if (isCovered && this.#fault !== undefined && this.#tryAgain(true, abort.status, 'FI')) return;
    this.#user.onAborted(abort);
  }

  #connect(): void {
    const { choice } = this;
    if (choice === undefined) throw new Error('broken invariant: connecting before choosing');
    const avoidsTried = this.#retry.rules?.policy.avoidsTried ?? true;
    const { method, upgrade } = this.#request;
    const seat = this.#hasLeftSeat ? undefined : this.seat?.entry.endpoint;
    const demand = { cluster: choice.cluster, method, hash: this.hash, seat, isUpgrade: upgrade !== '' };
    const why = this.#isAdmitted(choice.cluster) ? this.upstream.connect(demand, avoidsTried) : 'overflow';
    if (why === undefined) {
      this.#trace?.attemptBegins();
      return;
    }
    this.#giveUp(why === 'overflow' ? FAILURES.overflow : FAILURES.noHealthyUpstream);
  }

  /** Counted among its cluster's requests in flight, if that has room for it. */
  #isAdmitted({ breaker }: ClusterRuntime): boolean {
    if (this.#countedAt === breaker) return true;
    this.#countedAt?.release('requests');
    this.#countedAt = breaker?.acquire('requests') === false ? undefined : breaker;
    return this.#countedAt === breaker;
  }

  /** The connection goes, and another takes its place at once. */
  #connectAgain(): void {
    this.upstream.freeTries++;
    this.#connect();
  }

  onReady(): void {
    const { connection } = this.upstream;
    this.upstream.settle();
    if (connection !== undefined) this.#upload.open(connection, this.#text);
  }

  /** Its own time runs from here, if it has one. */
  limit(): void {
    const perTryMs = this.#retry.rules?.policy.perTryTimeoutMs ?? 0;
    if (perTryMs > 0 && !this.#isBackingOff) this.#timer.limit(perTryMs);
  }

  onAttemptTimeUp(): void {
    if (!this.#user.isWaiting) return;
    this.#upload.close();
    this.upstream.drop();
    this.outcome.onNoResponse();
    this.#lost('timeout', FAILURES.upstreamTimeout);
  }

  onPauseOver(): void {
    if (!this.#user.isWaiting) return;
    if (this.#isBackingOff) {
      this.#isBackingOff = false;
      this.#text = this.#nextText(this.#text);
      this.#attempt();
    } else this.#connectOrAbort();
    this.#user.onTurn();
  }

  // --- how it ends ----------------------------------------------------------------------------------------------------------------------

  /**
   * Its connection has gone before an answer was passed on.
   *
   * @param hasResponseBytes  Something of an answer had come.
   */
  onLost(loss: UpstreamLoss, hasResponseBytes: boolean): void {
    const { connection, freeTries } = this.upstream;
    this.upstream.connection = undefined;
    this.#upload.close();
    switch (loss) {
      case 'unused':
        // Nobody has looked at any of this request: any method may be sent again (RFC 9110 §9.2.2, RFC 9113 §8.7).
        if (freeTries < 2 && this.#upload.isWhole) this.#connectAgain();
        else this.#lost('connect', FAILURES.connectFailed);
        return;
      case 'connect-failed':
      case 'connect-timeout': {
        this.outcome.onNoResponse();
        const failure = loss === 'connect-failed' ? FAILURES.connectFailed : FAILURES.connectTimeout;
        const isCovered = this.#retry.rules?.coversLoss('connect') === true;
        if (isCovered && this.#tryAgain(false, failure.status, failure.flag)) return;
        // Nothing was sent, so this is no load that a retry budget has to keep away: only the number of attempts can say no.
        if (!this.#retry.isFree || this.#retry.isUsedUp || freeTries > 0) {
          this.#giveUp(failure);
          return;
        }
        this.#count(failure.status, failure.flag);
        this.#hasLeftSeat = true;
        this.#connectAgain();
        return;
      }
      case 'ended':
      case 'reset': {
        // The upstream closed a connection just as it was used again. Nobody is at fault, and an idempotent request may be repeated.
        const isStale = connection?.isReused === true && !hasResponseBytes && this.#upload.body.framing === 'none';
        const isFree = this.#retry.isFree && IDEMPOTENT.has(this.#request.method) && freeTries === 0;
        if (isStale && isFree) {
          this.#connectAgain();
          return;
        }
        this.outcome.onNoResponse();
        this.#lost('reset', FAILURES.upstreamTerminated);
      }
    }
  }

  /** What has come is no answer. */
  onBroken(failure: Failure): void {
    this.#lost('reset', failure);
  }

  /** An attempt has ended without an answer. */
  #lost(loss: LostAttempt, failure: Failure): void {
    const isSent = loss !== 'connect';
    if (this.#retry.rules?.coversLoss(loss) === true && this.#tryAgain(isSent, failure.status, failure.flag)) return;
    this.#giveUp(failure);
  }

  /** The cluster has no more attempt for this request. */
  #giveUp(failure: Failure): void {
    if (!this.#fallBack(failure.status, failure.flag)) this.#user.onGivenUp(failure);
  }

  /** Whether an answer whose head has come is not passed on, because there is another attempt. `bytes[from, end)` follow the head. */
  replaces(head: ResponseHead, bytes: Buffer, from: number, end: number): boolean {
    if (this.#retry.rules?.covers(head) === true && this.#retriesAnswer(head, bytes, from, end)) return true;
    return this.#fallbackText !== '' && this.#fallsBackFrom(head, bytes, from, end);
  }

  #retriesAnswer(head: ResponseHead, bytes: Buffer, from: number, end: number): boolean {
    const { status } = head;
    const { connection } = this.upstream;
    const idleMs = this.#idleAfter(head, bytes, from, end);
    // A call whose status came without an answer was not carried out as far as its server says; HTTP's POST says nothing of the kind.
    if (!this.#upload.isWhole || !this.#retry.again(this.outcome.grpcStatus === '')) return false;
    // Its connection serves again if all of the answer is here.
    connection?.release(idleMs);
    this.upstream.connection = undefined;
    this.#wait(status, undefined);
    return true;
  }

  #fallsBackFrom(head: ResponseHead, bytes: Buffer, from: number, end: number): boolean {
    const { status } = head;
    if (this.choice?.fallbackOn?.has(status) !== true || !this.#upload.isWhole) return false;
    const { connection } = this.upstream;
    const idleMs = this.#idleAfter(head, bytes, from, end);
    this.upstream.connection = undefined;
    connection?.release(idleMs);
    return this.#fallBack(status, undefined);
  }

  /** How long the connection may rest after an answer nobody wants; 0 where it cannot be used again. */
  #idleAfter(head: ResponseHead, bytes: Buffer, from: number, end: number): number {
    const { choice } = this;
    const { connection } = this.upstream;
    if (choice === undefined || connection === undefined || !this.#upload.body.isDone) return 0;
    return this.#unwanted.restMs(this.#request, head, bytes, from, end, choice.cluster.cluster, connection);
  }

  // --- the next one ---------------------------------------------------------------------------------------------------------------------

  /**
   * Gives the request to stable, where the release wants that and it can be given as a whole. For the release the canary has failed.
   *
   * @param status  What the client would have been answered with.
   */
  #fallBack(status: number, flag: ResponseFlag | undefined): boolean {
    const from = this.choice;
    const to = from?.fallback;
    if (this.#fallbackText === '' || from === undefined || to === undefined || !this.#upload.isWhole) return false;
    this.#count(status, flag, FELL_BACK);
    this.#trace?.attemptEnds(this, status, flag);
    from.cluster.counters.fellBack();
    from.cluster.counters.activeAdd(-1);
    this.fallenFrom = from;
    this.choose(to);
    this.#retry.moveOn(to.cluster.retryBudget);
    this.#timer.clear();
    this.#upload.close();
    this.scanner.reset();
    this.upstream.drop();
    this.upstream.end();
    this.upstream.begin();
    this.#text = this.#nextText(this.#fallbackText);
    this.#fallbackText = '';
    this.#hasLeftSeat = true;
    this.#connect();
    this.#user.onTurn();
    return true;
  }

  /**
   * Makes the attempt that has just failed again, after a while, if the policy that covers it allows one more.
   *
   * @param status  What the attempt would have been answered with.
   */
  #tryAgain(isSent: boolean, status: number, flag: ResponseFlag | undefined): boolean {
    if (!this.#upload.isWhole || !this.#retry.again(isSent)) return false;
    this.upstream.drop();
    this.#wait(status, flag);
    return true;
  }

  /** The attempt is over; the next one comes after a while. */
  #wait(status: number, flag: ResponseFlag | undefined): void {
    const { rules, made } = this.#retry;
    this.#count(status, flag);
    this.#trace?.attemptEnds(this, status, flag);
    this.#upload.close();
    this.scanner.reset();
    this.#isBackingOff = true;
    this.#hasLeftSeat = true;
    this.#timer.clear();
    this.#timer.pause(rules?.backoffMs(made, this.#context.random()) ?? 0);
  }

  /** The head of the next attempt. */
  #nextText(text: string): string {
    const counted = attemptText(text, this.#retry.made + 1);
    return this.#trace === undefined ? counted : this.#trace.nextAttempt(counted);
  }

  #count(status: number, flag: ResponseFlag | undefined, also?: FlagsBeside): void {
    this.outcome.count(this.#context.now() - this.#user.startedAt, status, flag, also);
  }

  // --- the end --------------------------------------------------------------------------------------------------------------------------

  /** An answer is passed on: there is no other attempt. */
  settle(): void {
    this.#timer.clear();
  }

  /** A line for the answer where a session begins with it. Nobody stays with stable because it has stood in. */
  sessionLine(): string {
    const { sessions, choice, endpoint } = this;
    if (sessions === undefined || choice === undefined || endpoint === undefined) return '';
    if (endpoint === this.seat?.entry.endpoint || this.fallenFrom !== undefined) return '';
    return sessions.line(choice.cluster, endpoint, this.#context.wallMs());
  }

  /** The connection goes on without the request. @returns Where the request is counted, which is the caller's to release. */
  handOver(): CircuitBreaker | undefined {
    const countedAt = this.#countedAt;
    this.#countedAt = undefined;
    this.upstream.connection = undefined;
    return countedAt;
  }

  /** A connection at rest holds nothing of a table that may be replaced meanwhile. */
  end(): void {
    this.#countedAt?.release('requests');
    this.#countedAt = undefined;
    this.#timer.clear();
    this.#retry.release();
    this.choice?.cluster.counters.activeAdd(-1);
    this.upstream.end();
    this.choice = undefined;
    this.fallenFrom = undefined;
    this.sessions = undefined;
    this.seat = undefined;
    this.#text = '';
    this.#fallbackText = '';
  }
}
