/** Metrics and webhooks in `serin rollout status`. */
import { z } from 'zod';
import { formatColumns } from './table.ts';

/** As app/rollouts/checks/view.ts makes them. */
export const CheckFields = {
  metrics: z
    .array(
      z.looseObject({
        name: z.string(),
        phase: z.string(),
        message: z.string(),
        condition: z.string(),
        dryRun: z.boolean().optional(),
        count: z.number(),
        wantedCount: z.number().optional(),
        measurements: z.array(z.looseObject({ value: z.string().optional() })),
      }),
    )
    .optional(),
  webhooks: z
    .array(z.looseObject({ name: z.string(), type: z.string(), phase: z.string(), message: z.string(), attempts: z.number() }))
    .optional(),
};
const Checks = z.object(CheckFields);

export function formatChecks({ metrics = [], webhooks = [] }: z.infer<typeof Checks>): string {
  const measured = metrics.map((metric) => {
    const { name, phase, dryRun, count, wantedCount, message, condition, measurements } = metric;
    const value = measurements.at(-1)?.value;
    return [
      `  ${name}`,
      dryRun === true ? `${phase} (dry run)` : phase,
      wantedCount === undefined ? `${count} measured` : `${count} of ${wantedCount} measured`,
      message === '' ? `${value ?? ''} (${condition})` : message,
    ];
  });
  const asked = webhooks.map(({ name, type, phase, message, attempts }) => [
    `  ${name}`,
    type,
    attempts > 1 ? `${phase} (${attempts} times)` : phase,
    message,
  ]);
  return [
    ...(measured.length === 0 ? [] : ['metrics\n', formatColumns(measured)]),
    ...(asked.length === 0 ? [] : ['webhooks\n', formatColumns(asked)]),
  ].join('');
}
