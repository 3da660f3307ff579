import { useEffect, useState } from 'preact/hooks';
import { get, messageOf } from '../data/api.ts';

export interface Answer<T> {
  readonly value: T | undefined;
  readonly problem: string;
  reload(): void;
}

/** GETs a path, again when it or `news` changes. What was there stays until the next answer. @param path Undefined: nothing is asked. */
export function useAnswer<T>(path: string | undefined, news: unknown = 0): Answer<T> {
  const [value, setValue] = useState<T | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const [again, setAgain] = useState(0);
  useEffect(() => {
    if (path === undefined) return;
    const gone = new AbortController();
    const ask = async (): Promise<void> => {
      try {
        setValue(await get<T>(path, gone.signal));
        setProblem('');
      } catch (error) {
        if (!gone.signal.aborted) setProblem(messageOf(error));
      }
    };
    void ask();
    return () => gone.abort();
  }, [path, news, again]);
  return { value, problem, reload: () => setAgain((n) => n + 1) };
}
