/** `details`: what is printed on the book. `GET /details/0`. */
import { detailsOf } from './book.ts';
import { idIn, json, runService, type Handler } from './service.ts';

export function detailsHandler(): Handler {
  return ({ path }) => {
    const id = idIn(path, 'details');
    if (id === undefined) return json(404, { error: 'try /details/0' });
    if (id === null) return json(400, { error: 'the id of a product is a number' });
    return json(200, detailsOf(Number(id)));
  };
}

if (import.meta.main) await runService('details', detailsHandler);
