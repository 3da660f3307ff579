/** A question before anything moves: what will happen, and a reason that is recorded with it. */
import { signal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { messageOf } from '../data/api.ts';

export interface Question {
  readonly title: string;
  readonly text: ComponentChildren;
  /** On the button. */
  readonly verb: string;
  readonly isDangerous?: boolean;
  /** Whether a reason is asked for. */
  readonly asksReason: boolean;
  /** Rejects with what went wrong; then the question stays. */
  readonly perform: (reason: string) => Promise<void>;
}

const question = signal<Question | undefined>(undefined);

export function ask(asked: Question): void {
  question.value = asked;
}

export function ConfirmHost(): JSX.Element | null {
  const asked = question.value;
  return asked === undefined ? null : <Confirm key={asked.title} {...asked} />;
}

const close = (): void => {
  question.value = undefined;
};

function Confirm({ title, text, verb, isDangerous = false, asksReason, perform }: Question): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const [reason, setReason] = useState('');
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem('');
    try {
      await perform(reason.trim());
      close();
    } catch (error) {
      setProblem(messageOf(error));
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby="question" onClose={close}>
      <form onSubmit={(event) => void submit(event)}>
        <h2 id="question">{title}</h2>
        <div class="question">{text}</div>
        {asksReason && (
          <label>
            Reason, for the record
            <input
              name="reason"
              maxLength={500}
              value={reason}
              onInput={(event) => setReason(event.currentTarget.value)}
              placeholder="optional"
              autocomplete="off"
            />
          </label>
        )}
        {problem !== '' && (
          <p role="alert" class="problem">
            {problem}
          </p>
        )}
        <div class="buttons">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit" class={isDangerous ? 'danger' : 'primary'} disabled={isBusy} autofocus={!asksReason}>
            {isBusy ? 'One moment…' : verb}
          </button>
        </div>
      </form>
    </dialog>
  );
}
