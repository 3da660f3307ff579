/** A problem in configuration, as answers of the admin API have it. */
import { z } from 'zod';

/** `Diagnostic` of base/diagnostic.ts. */
export const ApiDiagnostic = z
  .object({
    severity: z.enum(['error', 'warning']),
    code: z.string(),
    message: z.string(),
    /** As the user gave it; `api` for what a request brings, `api:KIND:NAMESPACE:NAME` for what was applied before. */
    file: z.string(),
    /** 1-based; 0 where there is none. */
    line: z.number(),
    column: z.number(),
    /** As `spec.http[2].route[0].weight`. */
    path: z.string(),
    hint: z.exactOptional(z.string()),
    /** The resource; empty where it is about none. */
    kind: z.string(),
    namespace: z.string(),
    name: z.string(),
  })
  .meta({ id: 'Diagnostic' });
export type ApiDiagnostic = z.infer<typeof ApiDiagnostic>;
