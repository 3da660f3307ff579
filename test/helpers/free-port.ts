/**
 * A port on 127.0.0.1 for what has to be told one: free now, and outside of the range the kernel gives ports from, so that nobody is given it before it
 * is used.
 */
import { PortPool } from '../../src/workload/process-port.ts';

const pool = new PortPool(Math.random);

export const freePort = (): Promise<number> => pool.take();

/** Reserved for tcpmux, which nobody runs: connections to it are refused. */
export const NOBODYS_PORT = 1;
