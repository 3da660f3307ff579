/**
 * Quantiles of the standard normal distribution.
 *
 * Rational approximation by Peter J. Acklam (2003) in three pieces; relative error below 1.15e-9 everywhere, without a refinement step.
 */
const BREAK = 0.02425;

/** x with P(Z <= x) = p. @param p In [0, 1]; the ends give infinities, anything else NaN. */
export function normalQuantile(p: number): number {
  if (p === 0) return Number.NEGATIVE_INFINITY;
  if (p === 1) return Number.POSITIVE_INFINITY;
  if (!(p > 0 && p < 1)) return Number.NaN;
  if (p < BREAK) return tail(Math.sqrt(-2 * Math.log(p)));
  if (p > 1 - BREAK) return -tail(Math.sqrt(-2 * Math.log1p(-p)));
  return centre(p - 0.5);
}

function tail(q: number): number {
  const above =
    ((((-7.784894002430293e-3 * q - 3.223964580411365e-1) * q - 2.400758277161838) * q - 2.549732539343734) * q + 4.374664141464968) * q +
    2.938163982698783;
  const below = (((7.784695709041462e-3 * q + 3.224671290700398e-1) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1;
  return above / below;
}

function centre(q: number): number {
  const r = q * q;
  const above =
    ((((-3.969683028665376e1 * r + 2.209460984245205e2) * r - 2.759285104469687e2) * r + 1.38357751867269e2) * r - 3.066479806614716e1) *
      r +
    2.506628277459239;
  const below =
    ((((-5.447609879822406e1 * r + 1.615858368580409e2) * r - 1.556989798598866e2) * r + 6.680131188771972e1) * r - 1.328068155288572e1) *
      r +
    1;
  return (above * q) / below;
}
