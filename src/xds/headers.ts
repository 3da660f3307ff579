/**
 * Header operations as Envoy's HeaderValueOption lists. Both sides run them in the same order: remove, overwrite, append (header_parser.cc, evaluateHeaders), those
 * of a weighted cluster before those of the route.
 */
import { hasValue, headerValueText } from '../routing/header-value.ts';
import type { HeaderOps, HeaderValue } from '../routing/table.ts';
import { type Message, nonEmpty, present } from './message.ts';

export function headerMutations(request: HeaderOps, response: HeaderOps): Message {
  return present({
    request_headers_to_remove: nonEmpty(request.remove),
    request_headers_to_add: nonEmpty(additions(request)),
    response_headers_to_remove: nonEmpty(response.remove),
    response_headers_to_add: nonEmpty(additions(response)),
  });
}

export function isEmpty({ remove, set, add }: HeaderOps): boolean {
  return remove.length === 0 && set.length === 0 && add.length === 0;
}

function additions({ set, add }: HeaderOps): readonly Message[] {
  return [
    ...set.flatMap((header) => option(header, 'OVERWRITE_IF_EXISTS_OR_ADD')),
    ...add.flatMap((header) => option(header, 'APPEND_IF_EXISTS_OR_ADD')),
  ];
}

/** Operators that give nothing in Serin could keep Envoy from starting; without a value the header is left alone by both. */
function option({ name, value }: HeaderValue, append_action: string): readonly Message[] {
  const text = headerValueText(value.filter(hasValue));
  return text === '' ? [] : [{ header: { key: name, value: text }, append_action }];
}
