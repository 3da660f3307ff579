/** What the demo says when it is ready: where everything is, and what to type to see it at work. */
import type { DemoPorts } from './ports.ts';

export interface Demo {
  readonly ports: DemoPorts;
  /** The copies Serin reads. */
  readonly serinYaml: string;
  readonly rolloutYaml: string;
  readonly gatewayYaml: string;
  readonly stateDir: string;
  readonly trafficPerS: number;
}

/** @param root Of the clone, where the commands are to be typed. */
export function welcome({ ports, serinYaml, rolloutYaml, stateDir, trafficPerS }: Demo, root: string): string {
  return `
Bookinfo runs behind Serin.

  the page         http://127.0.0.1:${ports.gateway}/productpage
  mesh listener    http://127.0.0.1:${ports.mesh}      (curl -H 'Host: reviews' http://127.0.0.1:${ports.mesh}/reviews/0)
  dashboard        http://127.0.0.1:${ports.admin}/      (serin open, see below, signs you in)
  metrics          http://127.0.0.1:${ports.admin}/metrics
  configuration    ${serinYaml}
                   ${rolloutYaml}
  traffic          ${trafficLine(trafficPerS)}

To try:

  1. Open the page and watch the dots: nine answers in ten come from reviews v1, one from v2.
  2. Sign in on the page as jason: every answer is v2 now, with black stars.

For the rest, in a second terminal, first (the last line is the dashboard, where all of it can be watched and done by buttons):

       cd ${quoted(root)}
       export SERIN_STATE=${quoted(stateDir)}
       serin() { npm run --silent serin -- "$@"; }
       serin open

  3. Shift the traffic by hand, and back (or change the weights in serin.yaml above and save it):
       serin shift reviews v1=50 v2=50
       serin shift reviews --reset
  4. Release reviews v3, with red stars, by evidence. v2 serves everybody beside it; in about two minutes v3 does:
       serin rollout start reviews
       serin rollout status reviews -w
  5. Then release v4, which fails one request in five. Watch it go back, and read why:
       serin rollout start reviews --to v4
       serin rollout status reviews -w
       serin rollout history reviews
     At any moment of a release, serin rollout abort reviews sends everybody back.

Ctrl-C stops everything.
`;
}

function trafficLine(perS: number): string {
  if (perS === 0) return 'none, as --traffic 0 says: a release waits until somebody looks at the page';
  return `${perS} page views a second from here, one in ten by jason (npm run demo -- --traffic N; 0: none)`;
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
