/** Certificates for tests: a CA, and what it signs. */
import { generate } from 'selfsigned';

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Issued {
  /** For these DNS names; the first is the common name. `spiffe://` names go in as URIs. */
  issue(names: readonly string[], days?: number): Promise<Issued>;
}

const DAY_MS = 86_400_000;

export async function authority(name = 'test CA'): Promise<Authority> {
  const made = await generate([{ name: 'commonName', value: name }], {
    algorithm: 'sha256',
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const ca = { cert: made.cert, key: made.private };
  return {
    ...ca,
    issue: async (names, days = 30) => {
      const leaf = await generate([{ name: 'commonName', value: names[0] ?? '' }], {
        algorithm: 'sha256',
        keyType: 'ec',
        ca,
        notBeforeDate: new Date(Date.now() - 2 * DAY_MS),
        notAfterDate: new Date(Date.now() + days * DAY_MS),
        extensions: [
          { name: 'basicConstraints', cA: false },
          {
            name: 'subjectAltName',
            altNames: names.map((value) => ({ type: value.includes('://') ? (6 as const) : (2 as const), value })),
          },
        ],
      });
      return { cert: leaf.cert, key: leaf.private };
    },
  };
}
