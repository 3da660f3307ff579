/** The one book in the shop, and what people say of it. The shapes are those of Istio's Bookinfo sample; the words are our own. */

const SUMMARY =
  'Two brothers who share a face and a name, two servants who share another, and one long day in Ephesus on which nobody is ever ' +
  'answered by the man they asked. It is Shakespeare’s shortest play, and one of his first.';

export const PRODUCT = { id: 0, title: 'The Comedy of Errors', summary: SUMMARY, descriptionHtml: `<p>${SUMMARY}</p>` };

export function detailsOf(id: number): Readonly<Record<string, string | number>> {
  return {
    id,
    author: 'William Shakespeare',
    year: 1594,
    type: 'paperback',
    pages: 96,
    publisher: 'Canary Press',
    language: 'English',
    'ISBN-10': '0000000000',
    'ISBN-13': '978-0000000002',
  };
}

export const REVIEWS = [
  {
    reviewer: 'Reviewer1',
    text: 'Four people, two faces, and a whole town that cannot tell who has just answered it. I had to stop reading on the train, because I was laughing out loud.',
  },
  {
    reviewer: 'Reviewer2',
    text: 'Quick, warm and beautifully wound up. It does not have the depth of the late comedies, but then it never once stands still long enough to need it.',
  },
] as const;

/** Stars out of five, by reviewer. */
export const RATINGS: Readonly<Record<string, number>> = { Reviewer1: 5, Reviewer2: 4 };
