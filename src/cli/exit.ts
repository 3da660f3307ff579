/** Exit codes, part of the command line's contract, and the error that carries one. */
export const EXIT = {
  ok: 0,
  other: 1,
  /** Of `serin diff`, which ends with nothing else as 1. */
  different: 1,
  usage: 2,
  invalid: 3,
  unreachable: 4,
  notFound: 5,
  conflict: 6,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command: `message` goes to stderr as `serin: …`, with the hint on a line of its own. */
export class CliError extends Error {
  readonly exit: ExitCode;
  readonly hint: string | undefined;

  constructor(exit: ExitCode, message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CliError';
    this.exit = exit;
    this.hint = hint;
  }
}

/** What a status of the admin API means to a command. */
export function exitOfStatus(status: number): ExitCode {
  if (status === 404) return EXIT.notFound;
  if (status === 409 || status === 412) return EXIT.conflict;
  if (status === 400 || status === 422) return EXIT.invalid;
  return EXIT.other;
}
