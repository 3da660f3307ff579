import { render } from 'preact';
import { App } from './app.tsx';
import { resume } from './data/session.ts';
import { applyTheme } from './data/theme.ts';

applyTheme();
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
void resume();
