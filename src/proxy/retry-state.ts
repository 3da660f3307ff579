/** How often one request has been tried by its route's policy, and whether it may be once more. One object a client connection, used again. */
import type { RetryBudget } from './retry-budget.ts';
import type { RetryRules } from './retry-rules.ts';
import { IDEMPOTENT } from './upstream-rules.ts';

export class RetryState {
  /** Undefined where the route states no policy. */
  rules: RetryRules | undefined;
  /** Retries begun. */
  made = 0;
  /** One more would have been made, but for the number of attempts. */
  isUsedUp = false;
  #budget: RetryBudget | undefined;
  #isRepeatable = false;
  #holdsBudget = false;

  begin(): void {
    this.rules = undefined;
    this.made = 0;
    this.isUsedUp = false;
  }

  adopt(rules: RetryRules, budget: RetryBudget, method: string): void {
    this.rules = rules;
    this.#budget = budget;
    this.#isRepeatable = rules.policy.repeatsAnything || IDEMPOTENT.has(method);
  }

  /** Whether attempts may be repeated that the upstream may have begun to process: then their bodies are kept. */
  get keepsBody(): boolean {
    return this.#isRepeatable && this.rules?.isAboutAnswers === true;
  }

  /** Whether a lost connection may be replaced without anybody noticing: not where the user has switched retries off, or asked for Istio's. */
  get isFree(): boolean {
    const policy = this.rules?.policy;
    return policy === undefined || (policy.attempts > 0 && !policy.repeatsAnything);
  }

  /**
   * Whether an attempt that the policy covers is made again; then it holds its share of the budget until `release`.
   *
   * @param isSent  Some of it has been written.
   */
  again(isSent: boolean): boolean {
    if (this.rules === undefined || (isSent && !this.#isRepeatable)) return false;
    this.release();
    const { attempts } = this.rules.policy;
    if (this.made >= attempts) {
      this.isUsedUp = attempts > 0;
      return false;
    }
    if (this.#budget?.acquire() !== true) return false;
    this.#holdsBudget = true;
    this.made++;
    return true;
  }

  /** The next try is at another cluster, within the attempts that are left. */
  moveOn(budget: RetryBudget): void {
    this.release();
    this.#budget = budget;
    this.isUsedUp = false;
    this.made++;
  }

  /** The attempt is over. */
  release(): void {
    if (!this.#holdsBudget) return;
    this.#holdsBudget = false;
    this.#budget?.release();
  }
}
