import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { LogLine } from '../../../src/admin/live-types.ts';
import { segment } from '../data/api.ts';

const MAX_LINES = 1000;

/** What a process prints, as it prints it. As text: what it prints is nobody's HTML. */
export function Log({ process }: { readonly process: string }): JSX.Element {
  const [lines, setLines] = useState<readonly string[]>([]);
  const [state, setState] = useState('');
  const end = useRef<HTMLPreElement>(null);
  useEffect(() => {
    const source = new EventSource(`/api/v1/processes/${segment(process)}/log?lines=200&follow=true`);
    source.addEventListener('line', (event: MessageEvent<string>) => {
      const { text } = JSON.parse(event.data) as LogLine;
      setLines((before) => [...before.slice(1 - MAX_LINES), text]);
    });
    source.addEventListener('open', () => {
      setState('');
      // After a break everything comes again.
      setLines([]);
    });
    source.addEventListener('error', () => setState(' (not live)'));
    return () => source.close();
  }, [process]);
  useEffect(() => {
    const pre = end.current;
    if (pre !== null && pre.scrollHeight - pre.scrollTop - pre.clientHeight < 80) pre.scrollTop = pre.scrollHeight;
  }, [lines]);
  return (
    <>
      <h3>
        Output of {process}
        {state}
      </h3>
      <pre class="log" ref={end} tabIndex={0} role="log" aria-label={`Output of ${process}`}>
        {lines.join('\n')}
      </pre>
    </>
  );
}
