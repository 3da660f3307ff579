/** The dashboard: one page, one script, one style sheet, nothing from anywhere else. */
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    // A data: URL would be one more source for the Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: false,
    target: 'es2022',
  },
});
