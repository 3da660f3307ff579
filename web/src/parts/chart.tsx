/** uPlot in Preact: made once, given new data as it comes, drawn again when its width or the colours change. */
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { NONE, time } from '../data/format.ts';
import { color, palette } from '../data/theme.ts';

/** A line; its name is a plain text. */
export type ChartSeries = Omit<uPlot.Series, 'label'> & { readonly label: string };

interface ChartProps {
  /** For screen readers: what is drawn and how it stands. */
  readonly label: string;
  readonly height?: number;
  /** First the instants in seconds, then a column a series. */
  readonly data: uPlot.AlignedData;
  readonly series: readonly ChartSeries[];
  readonly bands?: uPlot.Band[];
  readonly format: (value: number) => string;
  /** Of the values; default: what the data needs, from 0. */
  readonly range?: (min: number, max: number) => [number, number];
  /** Vertical lines: instants in seconds. */
  readonly marks?: readonly number[];
}

const FROM_ZERO = (_min: number, max: number): [number, number] => [0, max > 0 ? max * 1.1 : 1];

export function Chart({ label, height = 160, data, series, bands, format, range = FROM_ZERO, marks = [] }: ChartProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const latest = useRef({ marks, range, format });
  latest.current = { marks, range, format };
  const colours = palette.value;
  const shape = series.map(({ label: name }) => name).join('|');

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const ink = color('muted');
    const grid = { stroke: color('line'), width: 1 };
    const axis = { stroke: ink, grid, ticks: { show: false }, font: '11px system-ui' };
    const made = new uPlot(
      {
        width: Math.max(200, element.clientWidth),
        height,
        cursor: { y: false, points: { size: 6 } },
        legend: { live: true },
        scales: { x: { time: true }, y: { range: (_, min, max) => latest.current.range(min ?? 0, max ?? 0) } },
        axes: [
          { ...axis, values: (_, ticks) => ticks.map((seconds) => (Number.isInteger(seconds) ? time(seconds * 1000) : '')) },
          { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => latest.current.format(tick)) },
        ],
        series: [
          { label: 'at', value: (_, seconds) => (seconds === null ? NONE : time(seconds * 1000)) },
          ...series.map((one) => ({
            ...one,
            value: (_: uPlot, value: number | null) => (value === null ? NONE : latest.current.format(value)),
          })),
        ],
        ...(bands === undefined ? {} : { bands }),
        hooks: { drawClear: [(self) => drawMarks(self, latest.current.marks)] },
      },
      data,
      element,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: Math.max(200, element.clientWidth), height }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = undefined;
    };
    // Data comes by setData below; a new plot only for what cannot be changed.
  }, [shape, height, colours]);

  useEffect(() => plot.current?.setData(data), [data]);

  return <div class="chart" role="img" aria-label={label} ref={place} />;
}

function drawMarks(plot: uPlot, marks: readonly number[]): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = color('muted');
  ctx.setLineDash([3, 4]);
  for (const mark of marks) {
    const x = Math.round(plot.valToPos(mark, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
