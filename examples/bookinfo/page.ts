/**
 * The page of the book, as HTML. A pure function of what productpage has found out: no I/O, and no markup but its own (see `html.ts`).
 * Style and the script of the live strip are files of the same origin (`static/`), so the page works without any other host.
 */
import { html, type SafeHtml } from './html.ts';

export interface Review {
  readonly reviewer: string;
  readonly text: string;
  readonly rating?: { readonly stars: number; readonly color: string } | { readonly error: string };
}

export interface Reviews {
  /** The process that answered, `reviews-v2-1a2b`. */
  readonly podname: string;
  readonly version: string;
  readonly reviews: readonly Review[];
}

/** What a call found, or a sentence on why it found nothing. */
export type Found<T> = { readonly value: T } | { readonly error: string };

export interface Page {
  readonly title: string;
  readonly summary: string;
  readonly user: string | undefined;
  /** Said under the sign-in form when the name was refused. */
  readonly signInProblem?: string;
  readonly details: Found<Readonly<Record<string, string | number>>>;
  readonly reviews: Found<Reviews>;
}

const STARS = 5;

/** Keys of `details` as people read them; a key that is not listed is not shown. */
const LABELS: Readonly<Record<string, string>> = {
  year: 'First played',
  type: 'Format',
  pages: 'Pages',
  publisher: 'Publisher',
  language: 'Language',
  'ISBN-10': 'ISBN-10',
  'ISBN-13': 'ISBN-13',
};

export function renderPage(page: Page): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${page.title} · Bookinfo</title>
        <link rel="icon" href="static/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="static/page.css" />
        <script src="static/live.js" defer></script>
      </head>
      <body>
        ${STAR_SYMBOL}
        <header class="bar">
          <a class="brand" href="productpage">${BIRD}<span>Bookinfo</span></a>
          ${signIn(page)}
        </header>
        <main>${book(page)} ${LIVE} ${reviewsSection(page)}</main>
        <footer>The demo of <strong>Serin</strong>: this page asks for its reviews, and Serin decides which version answers.</footer>
      </body>
    </html>`.text;
}

function signIn({ user, signInProblem }: Page): SafeHtml {
  if (user !== undefined) {
    return html`<form class="sign" method="post" action="logout">
      <span>Signed in as <strong data-user>${user}</strong></span>
      <button class="quiet">Sign out</button>
    </form>`;
  }
  const problem = signInProblem === undefined ? html`` : html`<p class="problem" role="alert">${signInProblem}</p>`;
  return html`<form class="sign" method="post" action="login">
    <label for="username">Sign in as</label>
    <input
      id="username"
      name="username"
      placeholder="jason"
      autocomplete="username"
      autocapitalize="none"
      spellcheck="false"
      maxlength="64"
      required
    />
    <button>Sign in</button>
    ${problem}
  </form>`;
}

function book({ title, summary, details }: Page): SafeHtml {
  const author = 'value' in details ? html`<p class="author">${details.value['author'] ?? ''}</p>` : html``;
  return html`<section class="book">
    ${COVER}
    <div>
      <h1>${title}</h1>
      ${author}
      <p class="summary">${summary}</p>
      ${'error' in details ? errorBox('No details', details.error) : facts(details.value)}
    </div>
  </section>`;
}

function facts(details: Readonly<Record<string, string | number>>): SafeHtml {
  const known = Object.entries(LABELS).flatMap(([key, label]) => {
    const value = details[key];
    return value === undefined
      ? []
      : [
          html`<div>
            <dt>${label}</dt>
            <dd>${value}</dd>
          </div>`,
        ];
  });
  return html`<dl class="facts">${known}</dl>`;
}

function reviewsSection({ reviews }: Page): SafeHtml {
  if ('error' in reviews) {
    return html`<section class="reviews" aria-labelledby="reviews">
      <div class="heading"><h2 id="reviews">Reviews</h2></div>
      ${errorBox('No reviews', reviews.error)}
    </section>`;
  }
  const { podname, version, reviews: list } = reviews.value;
  return html`<section class="reviews" aria-labelledby="reviews">
    <div class="heading">
      <h2 id="reviews">Reviews</h2>
      <span class="badge" data-version="${version}" title="${podname}">served by <strong>reviews ${version}</strong></span>
    </div>
    <div class="cards">${list.map(reviewCard)}</div>
  </section>`;
}

function reviewCard({ reviewer, text, rating }: Review): SafeHtml {
  return html`<figure class="card">
    ${rating === undefined ? html`` : ratingOf(rating)}
    <blockquote>${text}</blockquote>
    <figcaption>${reviewer}</figcaption>
  </figure>`;
}

function ratingOf(rating: NonNullable<Review['rating']>): SafeHtml {
  if ('error' in rating) return html`<p class="unrated">${rating.error}</p>`;
  const stars = Math.max(0, Math.min(STARS, Math.round(rating.stars)));
  const color = rating.color === 'red' ? 'red' : 'black';
  const drawn = Array.from({ length: STARS }, (_, index) =>
    index < stars ? html`<svg class="star"><use href="#star" /></svg>` : html`<svg class="star empty"><use href="#star" /></svg>`,
  );
  return html`<p class="stars ${color}" role="img" aria-label="${stars} of ${STARS} stars, in ${color}">${drawn}</p>`;
}

function errorBox(heading: string, message: string): SafeHtml {
  return html`<div class="error" role="alert"><strong>${heading}</strong><span>${message}</span></div>`;
}

/** Filled in by static/live.js. */
const LIVE = html`<section class="live" aria-labelledby="live">
  <div class="heading">
    <h2 id="live">Who answers?</h2>
    <p class="tally" id="tally">Needs JavaScript.</p>
    <button class="quiet" id="pause" hidden>Pause</button>
  </div>
  <ol id="dots" aria-hidden="true"></ol>
  <p class="hint">One request to <code>reviews</code> a second; the digit is the version that answered it.</p>
</section>`;

const STAR_SYMBOL = html`<svg width="0" height="0" aria-hidden="true" focusable="false">
  <symbol id="star" viewBox="0 0 24 24">
    <path
      stroke-linejoin="round"
      stroke-width="2"
      d="M12 2.6l2.83 6.03 6.57.87-4.82 4.57 1.22 6.53L12 17.42 6.2 20.6l1.22-6.53L2.6 9.5l6.57-.87z"
    />
  </symbol>
</svg>`;

const BIRD = html`<svg class="bird" viewBox="0 0 32 32" aria-hidden="true">
  <path class="body" d="M4 20c0-7 5-12 11-12 2.6 0 4.6.9 6 2.4L27 9l-3.3 4.6C24 21 19 26 12.5 26H6l3-3c-3 0-5-1-5-3z" />
  <path class="wing" d="M8 18c3 0 6-1 8-4 1 5-2 8-6 8-1.5 0-2.4-2-2-4z" />
  <circle class="eye" cx="19.3" cy="13" r="1.3" />
</svg>`;

/** The twins of the play: two faces, and an eye that belongs to both. */
const COVER = html`<svg class="cover" viewBox="0 0 200 290" role="img" aria-label="Cover of the book">
  <rect class="board" width="200" height="290" rx="6" />
  <path class="spine" d="M6 0h6v290H6a6 6 0 0 1-6-6V6a6 6 0 0 1 6-6z" />
  <circle class="left" cx="85" cy="112" r="46" />
  <circle class="right" cx="127" cy="112" r="46" />
  <path class="both" d="M106 71.07A46 46 0 0 1 106 152.93A46 46 0 0 1 106 71.07z" />
  <path class="face" d="M59 106a6 6 0 0 1 12 0M100 106a6 6 0 0 1 12 0M141 106a6 6 0 0 1 12 0M72 127q13 13 26 0M114 127q13 13 26 0" />
  <text x="106" y="210">The Comedy</text>
  <text x="106" y="233">of Errors</text>
  <path class="rule" d="M86 249h40" />
  <text class="small" x="106" y="270">SHAKESPEARE</text>
</svg>`;
