/** Who changed what, and when: the audit log. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { AuditPage } from '../../../src/admin/audit-types.ts';
import { auditNews } from '../data/events.ts';
import { dateTime } from '../data/format.ts';
import { useAnswer } from '../parts/use-answer.ts';

export function Activity(): JSX.Element {
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const cursor = cursors.at(-1);
  const { value, problem } = useAnswer<AuditPage>(
    `/api/v1/audit?limit=50${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
    auditNews.value,
  );
  const next = value?.nextCursor;
  return (
    <>
      <header class="page">
        <h1>Activity</h1>
      </header>
      {problem !== '' && <p class="problem">{problem}</p>}
      <div class="scroll" tabIndex={0} role="region" aria-label="Audit log">
        <table>
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Who</th>
              <th scope="col">What</th>
              <th scope="col">Of what</th>
              <th scope="col">Why</th>
              <th scope="col">Result</th>
            </tr>
          </thead>
          <tbody>
            {value?.items.map(({ sequence, at, actor, from, action, target, reason, result }) => (
              <tr key={sequence}>
                <td>
                  <time dateTime={at}>{dateTime(at)}</time>
                </td>
                <td>
                  {actor}
                  {from !== undefined && <small> {from}</small>}
                </td>
                <td>{action}</td>
                <td>{target}</td>
                <td>{reason}</td>
                <td>{result}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="buttons">
        {cursors.length > 0 && (
          <button type="button" onClick={() => setCursors(cursors.slice(0, -1))}>
            Newer
          </button>
        )}
        {next !== undefined && (
          <button type="button" onClick={() => setCursors([...cursors, next])}>
            Older
          </button>
        )}
      </div>
    </>
  );
}
