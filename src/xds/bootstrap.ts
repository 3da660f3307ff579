/** A static bootstrap (config.bootstrap.v3 Bootstrap): all that `envoy -c` needs. */
import type { Message } from './message.ts';
import type { EnvoyResources } from './translate.ts';

/** As in ARCHITECTURE.md, for the whole process. */
const MAX_CONNECTIONS = 16_000;
/** Envoy refuses patterns of more than 100 instructions where nothing is stated; Istio allows as many as this. */
const MAX_PATTERN_SIZE = 32_768;

/** Without an admin listener, which whoever reaches it may stop Envoy by: docs/envoy.md says how to add one. */
export function staticBootstrap({ listeners, clusters }: EnvoyResources): Message {
  return {
    static_resources: { listeners, clusters },
    layered_runtime: {
      layers: [
        {
          name: 'static',
          static_layer: { re2: { max_program_size: { error_level: MAX_PATTERN_SIZE, warn_level: MAX_PATTERN_SIZE } } },
        },
      ],
    },
    overload_manager: {
      resource_monitors: [
        {
          name: 'envoy.resource_monitors.global_downstream_max_connections',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
            max_active_downstream_connections: MAX_CONNECTIONS,
          },
        },
      ],
    },
  };
}
