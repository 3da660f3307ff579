/**
 * Builds the published package into dist/: JavaScript and type declarations by tsc, the dashboard by vite, the launcher, the texts, and a package.json without what only
 * the workspace root needs (private, development dependencies, the Node runtimes brought through npm).
 *
 *     node scripts/build.ts          then: npm publish dist   (or: npm pack dist)
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
/** Members of package.json that the published one has, too. */
const KEPT = ['name', 'version', 'description', 'license', 'type', 'bin', 'engines', 'dependencies'] as const;
const TEXTS = ['README.md', 'LICENSE', 'CHANGELOG.md'] as const;

rmSync(DIST, { recursive: true, force: true });
execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', join(ROOT, 'tsconfig.build.json')], {
  stdio: 'inherit',
});

// Beside the compiled sources as it is beside the sources, so that both find it in one place (app/admin-start.ts).
execFileSync(
  process.execPath,
  [join(ROOT, 'node_modules/vite/bin/vite.js'), 'build', join(ROOT, 'web'), '--outDir', join(DIST, 'web/dist'), '--logLevel', 'warn'],
  {
    stdio: 'inherit',
  },
);
mkdirSync(join(DIST, 'bin'));
copyFileSync(join(ROOT, 'bin/serin.cjs'), join(DIST, 'bin/serin.cjs'));
chmodSync(join(DIST, 'bin/serin.cjs'), 0o755);
for (const text of TEXTS) if (existsSync(join(ROOT, text))) copyFileSync(join(ROOT, text), join(DIST, text));

const manifest: Record<string, unknown> = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const published = {
  ...Object.fromEntries(KEPT.map((member) => [member, manifest[member]])),
  exports: { '.': { types: './src/index.d.ts', default: './src/index.js' } },
};
writeFileSync(join(DIST, 'package.json'), `${JSON.stringify(published, undefined, 2)}\n`);
