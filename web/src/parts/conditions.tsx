/** What is said under the status of a resource of the Gateway API. */
import type { JSX } from 'preact';
import type { ResourceSource } from '../../../src/admin/resource-types.ts';
import { dateTime } from '../data/format.ts';

export function Conditions({ conditions }: { readonly conditions: ResourceSource['conditions'] }): JSX.Element | null {
  if (conditions.length === 0) return null;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Conditions">
      <table>
        <caption>Conditions</caption>
        <thead>
          <tr>
            <th scope="col">Of</th>
            <th scope="col">Condition</th>
            <th scope="col">Status</th>
            <th scope="col">Reason</th>
            <th scope="col">Message</th>
            <th scope="col">Since</th>
          </tr>
        </thead>
        <tbody>
          {conditions.map(({ about, type, status, isTrouble, reason, message, lastTransitionTime }) => (
            <tr key={`${about} ${type}`}>
              <td>{about === '' ? 'itself' : about}</td>
              <th scope="row">{type}</th>
              <td class={isTrouble ? 'bad' : undefined}>{status}</td>
              <td>{reason}</td>
              <td>{message}</td>
              <td>
                <time dateTime={lastTransitionTime}>{dateTime(lastTransitionTime)}</time>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
