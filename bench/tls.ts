/** The same TLS for Serin and nginx: a certificate for `app`, and how each is told of it; and HTTP/2 and gRPC in plain text for nginx. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { authority } from '../test/helpers/certificates.ts';
import type { Backends } from './proxies/proxy.ts';
import { appService, splitRule } from './table-yaml.ts';

export interface CertificateFiles {
  /** PEM. */
  readonly ca: string;
  readonly caFile: string;
  readonly certificate: string;
  readonly privateKey: string;
}

/** In `certificates` of the directory. */
export async function certificateFiles(directory: string): Promise<CertificateFiles> {
  const own = join(directory, 'certificates');
  mkdirSync(own);
  const issuer = await authority();
  const { cert, key } = await issuer.issue(['app']);
  const files = { ca: issuer.cert, caFile: join(own, 'ca.pem'), certificate: join(own, 'app.pem'), privateKey: join(own, 'app.key') };
  writeFileSync(files.caFile, files.ca);
  writeFileSync(files.certificate, cert);
  writeFileSync(files.privateKey, key, { mode: 0o600 });
  return files;
}

/** What nginx's `listen` says. */
export interface NginxListen {
  readonly options: string;
  readonly lines: readonly string[];
  /** Default: HTTP/1.1. */
  readonly passes?: 'grpc';
}

export function nginxTls({ certificate, privateKey }: CertificateFiles): NginxListen {
  return { options: 'ssl', lines: [`  ssl_certificate ${certificate};`, `  ssl_certificate_key ${privateKey};`] };
}

export const NGINX_HTTP2: NginxListen = { options: 'http2', lines: [] };
export const NGINX_GRPC: NginxListen = { ...NGINX_HTTP2, passes: 'grpc' };

/** Serin's split behind a Gateway of port 443. */
export function tlsConfiguration(backends: Backends, { certificate, privateKey }: CertificateFiles): string {
  return `${appService(backends)}---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front }
spec:
  servers:
  - port: { number: 443, name: https, protocol: HTTPS }
    hosts: ['*']
    tls: { mode: SIMPLE, serverCertificate: ${certificate}, privateKey: ${privateKey} }
---
${splitRule('', 'front')}`;
}
