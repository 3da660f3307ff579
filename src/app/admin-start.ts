/** Starts the admin API with everything that stands around it: sessions, the dashboard's files, a certificate. */
import { join } from 'node:path';
import type { AdminPorts } from '../admin/ports.ts';
import { type AdminAddress, type AdminServer, startAdmin } from '../admin/server.ts';
import type { Sessions } from '../admin/sessions.ts';
import { readStaticFiles } from '../admin/static-files.ts';
import type { Clock } from '../base/clock.ts';
import { CertificateFiles, type CertificatePaths } from './admin-certificate.ts';
import type { Logger } from './logger.ts';
import type { Tokens } from './tokens.ts';

export interface AdminSettings {
  /** Default 127.0.0.1:15000. */
  readonly address?: AdminAddress;
  /** Nobody has to show a token to look; on loopback only. Default false. */
  readonly anonymousRead?: boolean;
  /** Host names it answers for beside the loopback ones and its own address. */
  readonly names?: readonly string[];
  /** Default: plain HTTP, on loopback only. Watched. */
  readonly tls?: CertificatePaths;
  /** With index.html and assets/. Default: where the dashboard is built to. */
  readonly dashboard?: string;
}

export const DEFAULT_ADMIN: AdminAddress = { host: '127.0.0.1', port: 15000 };

interface StartDeps {
  readonly ports: AdminPorts;
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told at the start, and whenever the certificate is renewed: where clients of this machine reach it. @param certificate PEM */
  readonly onReachable: (address: AdminAddress, certificate: string | undefined) => void;
}

/** @throws AdminListenError */
export async function startAdminApi(settings: AdminSettings, deps: StartDeps): Promise<Pick<AdminServer, 'address' | 'close'>> {
  const { address = DEFAULT_ADMIN, anonymousRead = false, names = [], dashboard = DASHBOARD } = settings;
  const { ports, tokens, sessions, clock, logger, onReachable } = deps;
  const files = settings.tls && new CertificateFiles(settings.tls, logger);
  try {
    const tls = files?.read();
    const server = await startAdmin(ports, { tokens, sessions, anonymousRead }, address, {
      files: readStaticFiles(dashboard),
      names,
      ...(tls === undefined ? {} : { tls }),
      nowMs: () => clock.nowMs(),
    });
    files?.onChange((renewed) => {
      server.renew(renewed);
      onReachable(server.address, leafOf(renewed.certificate));
    });
    onReachable(server.address, tls && leafOf(tls.certificate));
    return {
      address: server.address,
      close: () => {
        files?.close();
        return server.close();
      },
    };
  } catch (error) {
    files?.close();
    throw error;
  }
}

/** Without the chain behind it: clients of this machine trust this one and nothing else that the same authority has signed. */
function leafOf(certificates: string): string | undefined {
  return /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(certificates)?.[0];
}

/** The published package has it at the same place beside its sources (scripts/build.ts). */
const DASHBOARD = join(import.meta.dirname, '..', '..', 'web', 'dist');
