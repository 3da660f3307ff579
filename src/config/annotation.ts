/** What the annotations that hold JSON have in common: reading it, and reporting problems inside it at the one place the annotation has. */
import { formatPath, Place, Report } from './report.ts';

/** Undefined when the text is no JSON. */
export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

/** Problems inside the annotation at `place` are reported there, with the way to the field in front of the message. */
export function insideAnnotation(place: Place): Place {
  const report = new Report(place.report.id, (path) => ({ origin: { file: '', line: 0, column: 0 }, path }), []);
  report.add = (severity, path, code, message, hint) => {
    const inner = formatPath(path);
    place.report.add(severity, place.path, code, inner === '' ? message : `${inner}: ${message}`, hint);
  };
  return Place.root(report);
}
