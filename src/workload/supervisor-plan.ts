/** Which versions a configuration wants run, and by what. Pure. */
import { resolveHost } from '../config/hosts.ts';
import type { RunSpec } from '../config/resources.ts';
import { runDirectory } from '../config/run-host.ts';
import { isHttp2Protocol } from '../config/protocol.ts';
import { runId, runSpecsOf } from '../config/run.ts';
import type { Snapshot } from '../config/snapshot.ts';

export interface WantedVersion {
  /** As `ClusterProcess.id`. */
  readonly id: string;
  readonly namespace: string;
  /** The ServiceEntry's. */
  readonly service: string;
  readonly version: string;
  /** Full name of the service. */
  readonly host: string;
  /** By the protocol of the service's port; what a DestinationRule says besides is not known here. */
  readonly isHttp2: boolean;
  readonly spec: RunSpec;
  readonly directory: string;
  /** The same for what one process can stand for: everything but how many there are and how much each is sent. */
  readonly fingerprint: string;
}

export function wantedVersions(snapshot: Snapshot): ReadonlyMap<string, WantedVersion> {
  const wanted = new Map<string, WantedVersion>();
  for (const { metadata, spec: entry, origin } of snapshot.serviceEntries) {
    const directory = runDirectory(origin.file);
    for (const [version, spec] of runSpecsOf(metadata)) {
      const id = runId(metadata, version);
      const { command, env, ready, stopTimeout } = spec;
      wanted.set(id, {
        id,
        namespace: metadata.namespace,
        service: metadata.name,
        version,
        host: resolveHost(entry.hosts[0] ?? metadata.name, metadata.namespace),
        isHttp2: isHttp2Protocol(entry.ports?.[0]?.protocol),
        spec,
        directory,
        fingerprint: JSON.stringify([
          directory,
          command,
          Object.entries(env ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)),
          ready,
          stopTimeout,
        ]),
      });
    }
  }
  return wanted;
}
