/** Conditions of a route as config.route.v3 RouteMatch, HeaderMatcher and QueryParameterMatcher. */
import type { HeaderMatch, QueryParamMatch, RouteMatch, UriMatch, ValueMatch } from '../routing/table.ts';
import { type Message, nonEmpty, present } from './message.ts';

export function routeMatch({ uri, method, scheme, authority, headers, queryParams }: RouteMatch): Message {
  const pseudo = [
    [':method', method],
    [':scheme', scheme],
    [':authority', authority],
  ] as const;
  const asked = pseudo.flatMap(([name, value]) => (value === undefined ? [] : [{ name, ...valueCondition(value) }]));
  return present({
    ...(uri === undefined ? { prefix: '/' } : pathMatch(uri)),
    headers: nonEmpty([...asked, ...headers.map(headerMatch)]),
    query_parameters: nonEmpty(queryParams.map(queryMatch)),
  });
}

function pathMatch({ kind, value, ignoreCase }: UriMatch): Message {
  const sensitivity = ignoreCase && kind !== 'regex' ? { case_sensitive: false } : {};
  switch (kind) {
    case 'exact':
      return { path: value, ...sensitivity };
    case 'prefix':
      return { prefix: value, ...sensitivity };
    case 'pathPrefix': {
      // Envoy refuses a trailing slash there, and the root has nothing else.
      const stem = value.endsWith('/') ? value.slice(0, -1) : value;
      return stem === '' ? { prefix: '/' } : { path_separated_prefix: stem, ...sensitivity };
    }
    case 'regex':
      return { safe_regex: { regex: value } };
  }
}

/** type.matcher.v3 StringMatcher. */
export function stringMatcher({ kind, value }: ValueMatch): Message {
  return kind === 'regex' ? { safe_regex: { regex: value } } : { [kind]: value };
}

/** Every text begins with nothing, and Envoy refuses to be asked that. */
function valueCondition(value: ValueMatch): Message {
  return value.kind === 'prefix' && value.value === '' ? { present_match: true } : { string_match: stringMatcher(value) };
}

function headerMatch({ name, value, invert, missingIsEmpty }: HeaderMatch): Message {
  return {
    name: name === 'host' ? ':authority' : name,
    ...(value === undefined ? { present_match: true } : valueCondition(value)),
    ...(invert ? { invert_match: true } : {}),
    ...(missingIsEmpty ? { treat_missing_header_as_empty: true } : {}),
  };
}

function queryMatch({ name, value }: QueryParamMatch): Message {
  return { name, ...(value === undefined ? { present_match: true } : valueCondition(value)) };
}
