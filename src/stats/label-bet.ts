/**
 * The bet on one request's label: the heart of the release analysis.
 *
 * Request i would turn out bad with the canary (`Y(c)`) or not, and with stable (`Y(s)`) or not; both are fixed, arbitrary, and only one is
 * seen. The proxy draws the label, canary with probability `w`. Null boundary: `p_c = slope * p_s + offset`. For an alternative
 * `(p*_s, p*_c)` chosen before the request, with `(p_s, p_c)` its projection onto the boundary,
 *
 *     LR = 1 + c_X (Y - p_X),   c_c = (p*_c - p_c) / (p_c (1 - p_c)),   c_s = -w slope c_c / (1 - w)
 *
 * Theorem. E[LR] = 1 + w c_c (Y(c) - slope Y(s) - offset), the mean being over the label alone.
 * Proof. w (1 + c_c (Y(c) - p_c)) + (1 - w) (1 + c_s (Y(s) - p_s)) = 1 + w c_c [(Y(c) - p_c) - slope (Y(s) - p_s)], and p_c - slope p_s is
 * the offset.
 *
 * So the product over requests is a test supermartingale while the canary's mean effect is on the null's side of the boundary in every tick
 * (labels are independent, then AM-GM), whatever the outcomes do: trends, outages, bursts, dependence between requests. It starts at 1, and by
 * Ville's inequality ever reaches 1/alpha with probability at most alpha.
 *
 * The projection makes it the growth-optimal e-variable for that alternative: Turner, Ly, Grünwald, *Generic E-variables for exact sequential
 * k-sample tests that allow for optional stopping*, JSPI 2024, Theorem 1 (there with both arms in a block; the random label replaces the block).
 * Betting on the labels of events is Lindon & Malek, *Anytime-valid inference for multinomial count data*, NeurIPS 2022; margins and
 * the outcomes that are not events are what the boundary adds.
 *
 * The caller guarantees: labels are drawn independently with exactly `w` (an RNG or a salted hash, never a round robin), and the arguments
 * depend on the past only. Wrong predictions cost power, never validity.
 */

/** Halving alone reaches the last bit within this. */
const MAX_STEPS = 100;

/** Log-likelihood ratios by label and outcome: canary bad, canary good, stable bad, stable good. */
export type LabelBet = readonly [canaryBad: number, canaryGood: number, stableBad: number, stableGood: number];

/**
 * @param weight      Probability of the label "canary", in (0, 1). At 0 or 1 there is no comparison and no bet.
 * @param stableRate  p*_s of the alternative, in (0, 1).
 * @param canaryRate  p*_c, in (0, 1). Above the boundary the bet is on a regression, below it on there being none.
 * @param slope       > 0.
 * @param offset      In (-1, 1); the boundary must pass through the open unit square.
 */
export function labelBet(weight: number, stableRate: number, canaryRate: number, slope: number, offset: number): LabelBet {
  const stable = project(weight, stableRate, canaryRate, slope, offset);
  const canary = slope * stable + offset;
  const canaryStake = (canaryRate - canary) / (canary * (1 - canary));
  // By the stationarity condition, not from p*_s: the expectation is then exactly 1 on the boundary even where the root is rough.
  const stableStake = (-weight * slope * canaryStake) / (1 - weight);
  return [
    Math.log1p(canaryStake * (1 - canary)),
    Math.log1p(-canaryStake * canary),
    Math.log1p(stableStake * (1 - stable)),
    Math.log1p(-stableStake * stable),
  ];
}

/**
 * Nats a bet gains per request, of either arm, when its alternative is the truth: w KL(p*_c || p_c) + (1 - w) KL(p*_s || p_s).
 *
 * Evidence of E takes about ln(E) divided by this many requests. Both rates are found again from the logarithms, since
 * p e^bad + (1 - p) e^good = 1.
 */
export function growthPerRequest(bet: LabelBet, weight: number): number {
  const [canaryBad, canaryGood, stableBad, stableGood] = bet;
  return weight * growth(canaryBad, canaryGood) + (1 - weight) * growth(stableBad, stableGood);
}

function growth(bad: number, good: number): number {
  // A bet that stakes nothing on an arm gains nothing there.
  if (bad === good) return 0;
  const nullRate = -Math.expm1(good) / (Math.exp(bad) - Math.exp(good));
  const rate = nullRate * Math.exp(bad);
  return rate * bad + (1 - rate) * good;
}

/**
 * The stable rate of the boundary point that minimises (1-w) KL(p*_s || p) + w KL(p*_c || slope p + offset).
 *
 * Its derivative grows from -infinity to +infinity over the feasible interval and has its root between the rates at which either term alone is
 * least, so Newton's method inside that bracket, halving it where a step would leave it.
 */
function project(weight: number, stableRate: number, canaryRate: number, slope: number, offset: number): number {
  if (slope === 1 && offset === 0) return weight * canaryRate + (1 - weight) * stableRate;
  const other = (canaryRate - offset) / slope;
  let low = Math.max(0, -offset / slope, Math.min(stableRate, other));
  let high = Math.min(1, (1 - offset) / slope, Math.max(stableRate, other));
  let root = (low + high) / 2;
  for (let i = 0; i < MAX_STEPS && low < high; i++) {
    const canary = slope * root + offset;
    const stableSpread = root * (1 - root);
    const canarySpread = canary * (1 - canary);
    const stablePull = (root - stableRate) / stableSpread;
    const canaryPull = (canary - canaryRate) / canarySpread;
    const derivative = (1 - weight) * stablePull + weight * slope * canaryPull;
    if (derivative > 0) high = root;
    else low = root;
    const curvature =
      ((1 - weight) * (1 - stablePull * (1 - 2 * root))) / stableSpread +
      (weight * slope * slope * (1 - canaryPull * (1 - 2 * canary))) / canarySpread;
    const newton = root - derivative / curvature;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    // The last bits of the root buy nothing: the stakes are exact on the boundary wherever it is taken.
    if (Math.abs(next - root) <= 1e-13 * root) return next;
    root = next;
  }
  return root;
}
