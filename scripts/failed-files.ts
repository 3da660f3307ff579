/** Prints the test files that failed, a line each, relative to the project. Argument: vitest's results as JSON. */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { z } from 'zod';

const Results = z.object({ testResults: z.array(z.object({ name: z.string(), status: z.string() })) });

const [path = ''] = process.argv.slice(2);
const { testResults } = Results.parse(JSON.parse(readFileSync(path, 'utf8')));
for (const { name, status } of testResults) if (status === 'failed') console.log(relative(process.cwd(), name));
