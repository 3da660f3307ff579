// The live strip: asks for the reviews once a second through productpage and draws one dot per answer, so that a split can be seen.
// Plain DOM, text only ever set as text. Stops while the page is hidden or paused.

const DOTS_SHOWN = 40;
const PERIOD_MS = 1000;

const dots = document.getElementById('dots');
const tally = document.getElementById('tally');
const pause = document.getElementById('pause');
/** Versions of the answers shown, oldest first; '!' for a failure. */
const shown = [];
let isPaused = false;

async function ask() {
  try {
    const response = await fetch('api/v1/products/0/reviews', { signal: AbortSignal.timeout(10_000) });
    if (!response.ok) return '!';
    const { podname } = await response.json();
    return /^reviews-v(\d+)\b/.exec(podname)?.[1] ?? '?';
  } catch {
    return '!';
  }
}

function draw(version) {
  shown.push(version);
  const dot = document.createElement('li');
  dot.textContent = version;
  dot.dataset.version = version === '!' ? 'failed' : `v${version}`;
  dots.append(dot);
  if (shown.length > DOTS_SHOWN) {
    shown.shift();
    dots.firstElementChild.remove();
  }
  tally.replaceChildren(...counts());
}

function counts() {
  const versions = [...new Set(shown)].sort((a, b) => a.localeCompare(b));
  return versions.map((version) => {
    const count = shown.filter((each) => each === version).length;
    const item = document.createElement('span');
    item.dataset.version = version === '!' ? 'failed' : `v${version}`;
    const name = document.createElement('strong');
    name.textContent = version === '!' ? 'failed' : `v${version}`;
    item.append(name, ` ${count} of ${shown.length}`);
    return item;
  });
}

async function run() {
  for (;;) {
    const started = performance.now();
    if (!isPaused && !document.hidden) draw(await ask());
    await new Promise((resolve) => setTimeout(resolve, Math.max(100, PERIOD_MS - (performance.now() - started))));
  }
}

pause.hidden = false;
pause.addEventListener('click', () => {
  isPaused = !isPaused;
  pause.textContent = isPaused ? 'Go on' : 'Pause';
});
tally.textContent = 'Asking …';
void run();
