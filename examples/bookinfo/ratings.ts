/** `ratings`: how many stars each reviewer gave. `GET /ratings/0`. */
import { RATINGS } from './book.ts';
import { idIn, json, runService, type Handler } from './service.ts';

export function ratingsHandler(): Handler {
  return ({ path }) => {
    const id = idIn(path, 'ratings');
    if (id === undefined) return json(404, { error: 'try /ratings/0' });
    if (id === null) return json(400, { error: 'the id of a product is a number' });
    return json(200, { id: Number(id), ratings: RATINGS });
  };
}

if (import.meta.main) await runService('ratings', ratingsHandler);
