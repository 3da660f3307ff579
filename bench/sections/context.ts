/** What every section gets. */
import type { Print } from '../report.ts';
import type { Rounds } from '../measure.ts';

export interface Context {
  /** An empty temporary directory of the section's own. */
  readonly directory: string;
  readonly rounds: Rounds;
  readonly print: Print;
  /** Only what a continuous-integration run has time for. */
  readonly isSmoke: boolean;
}
