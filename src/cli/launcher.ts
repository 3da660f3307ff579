/**
 * The other end of the launcher (bin/serin.cjs): where it had to start a newer Node as a child, this process must not outlive it, or a
 * `kill -9` of the launcher would leave an orphan on the ports and on the state directory.
 */
export function endWithLauncher(): void {
  if (process.env['SERIN_LAUNCHER'] === undefined) return;
  delete process.env['SERIN_LAUNCHER'];
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  // Listening alone must not keep a finished command alive.
  process.channel?.unref();
}
