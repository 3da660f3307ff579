import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** Version of this Serin: that of the package it stands in (two folders up, in a source checkout as in the published package). */
export const VERSION = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))).version;
