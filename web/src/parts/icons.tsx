import type { JSX } from 'preact';

/** The wild canary. */
export function Canary(): JSX.Element {
  return (
    <svg class="canary" viewBox="0 0 32 32" aria-hidden="true">
      <path d="M5 22c0-8 5-14 12-14 5 0 8 3 8 7 0 7-6 12-13 12-3 0-6-1-7-5z" fill="#f2c522" />
      <path d="M24 11l6 2-6 3z" fill="#e07b00" />
      <path d="M8 21c2-5 6-7 11-7-1 6-5 9-11 7z" fill="#c79a00" />
      <circle cx="20.5" cy="11.5" r="1.4" fill="#1b1f24" />
    </svg>
  );
}
