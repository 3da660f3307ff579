/**
 * A process with everything it started: a process group of its own, whose number is the process's pid. Signals go to all of it, so that what stands
 * behind a wrapper (`npm start`, `sh -c`) ends with it.
 */

/** @returns False when nothing of the group is left. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    // Windows has no groups of this kind.
    return process.kill(process.platform === 'win32' ? pid : -pid, signal);
  } catch (error) {
    // EPERM: something is there that changed its user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Resolves true when nothing of the group is left, false when `timeoutMs` has passed before. */
export async function groupEnds(pid: number, timeoutMs: number, nowMs: () => number): Promise<boolean> {
  const giveUpAt = nowMs() + timeoutMs;
  while (signalGroup(pid, 0)) {
    if (nowMs() >= giveUpAt) return false;
    await new Promise((resolve) => {
      setTimeout(resolve, POLL_MS);
    });
  }
  return true;
}

const POLL_MS = 20;
