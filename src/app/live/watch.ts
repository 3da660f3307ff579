/** What the admin API lets people watch, wired to the running parts. */
import { EventHub } from '../../admin/events.ts';
import type { Sessions } from '../../admin/sessions.ts';
import type { Pipeline } from '../pipeline.ts';
import type { Rollouts } from '../rollouts/engine.ts';
import type { Logger } from '../logger.ts';
import { VERSION } from '../version.ts';
import { ConfigurationLooker } from './configuration-looker.ts';
import { Feed } from './feed.ts';
import { LiveSource } from './live-source.ts';
import { PollSource } from './poll-source.ts';
import { RolloutsLooker } from './rollouts-looker.ts';
import type { SamplerDeps } from './sampler.ts';

const ROLLOUTS_MS = 500;
const CONFIGURATION_MS = 250;

export interface WatchDeps extends SamplerDeps {
  readonly pipeline: Pick<Pipeline, 'inForce' | 'lastReload'>;
  readonly rollouts: Pick<Rollouts, 'released' | 'list' | 'problem'>;
  /** Whose streams may go on. */
  readonly sessions: Pick<Sessions, 'isGood'>;
  readonly logger: Logger;
}

export class Watch {
  readonly live: LiveSource;
  readonly audit = new Feed();
  readonly events: EventHub;

  constructor(deps: WatchDeps) {
    const { pipeline, rollouts, sessions, clock, logger } = deps;
    this.live = new LiveSource(deps);
    const sources = {
      live: this.live,
      rollouts: new PollSource(new RolloutsLooker(rollouts, () => clock.monotonicMs()), ROLLOUTS_MS, logger),
      configuration: new PollSource(new ConfigurationLooker(pipeline), CONFIGURATION_MS, logger),
      audit: this.audit,
    };
    this.events = new EventHub(sources, sessions, VERSION);
  }

  close(): void {
    this.events.close();
    this.live.stop();
  }
}
