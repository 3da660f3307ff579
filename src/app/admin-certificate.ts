/** Certificate and key of the admin API: files that are read at the start and again when one of them changes, so that a renewed certificate is used at once. */
import { readFileSync, statSync } from 'node:fs';
import { type AdminCertificate, AdminListenError } from '../admin/server.ts';
import type { Logger } from './logger.ts';

const LOOK_MS = 2000;

/** Paths of PEM files. */
export interface CertificatePaths {
  readonly certificate: string;
  readonly privateKey: string;
}

export class CertificateFiles {
  readonly #paths: CertificatePaths;
  readonly #logger: Logger;
  readonly #timer: NodeJS.Timeout;
  #seen: string;
  #onChange: (renewed: AdminCertificate) => void = () => undefined;

  constructor(paths: CertificatePaths, logger: Logger) {
    this.#paths = paths;
    this.#logger = logger;
    this.#seen = this.#look();
    this.#timer = setInterval(() => this.#check(), LOOK_MS);
    this.#timer.unref();
  }

  /** @throws AdminListenError */
  read(): AdminCertificate {
    const { certificate, privateKey } = this.#paths;
    const read = { certificate: readPem(certificate), privateKey: readPem(privateKey) };
    const mode = statSync(privateKey).mode & 0o777;
    if (process.platform !== 'win32' && (mode & 0o077) !== 0)
      this.#logger.warn(`${privateKey} can be read by other users (mode 0${mode.toString(8)}): make it 0600`);
    return read;
  }

  /** @param listener May throw AdminListenError for what cannot be used: certificate and key are written one after the other. */
  onChange(listener: (renewed: AdminCertificate) => void): void {
    this.#onChange = listener;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    const now = this.#look();
    if (now === this.#seen) return;
    this.#seen = now;
    try {
      this.#onChange(this.read());
      this.#logger.info({ path: this.#paths.certificate }, 'the certificate of the admin API has changed');
    } catch (error) {
      if (!(error instanceof AdminListenError)) throw error;
      this.#logger.error({ code: error.code }, `${error.message}; the last good one is used`);
    }
  }

  #look(): string {
    return [this.#paths.certificate, this.#paths.privateKey].map(stateOf).join();
  }
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new AdminListenError('E_ADMIN_TLS', `cannot read ${path} for the admin API: ${detail}`, { cause: error });
  }
}

function stateOf(path: string): string {
  const status = statSync(path, { throwIfNoEntry: false, bigint: true });
  return status === undefined ? 'missing' : `${status.mtimeNs} ${status.size} ${status.ino}`;
}
