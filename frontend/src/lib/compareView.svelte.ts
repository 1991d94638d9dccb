// How candidates are compared: what is picked, pinned, brushed and selected, all of it in the address.

import { list, flag, oneOf, text, type Codec } from "./codecs";
import {
  ACCURACY,
  brushCodec,
  COST,
  costAxis,
  groupAxes,
  within,
  withBrush,
  type Axis,
  type Bounds,
  type Brush,
} from "./compareBrush";
import { BY_ACCURACY, differingColumns, COLUMNS, sortCodec, sorted } from "./compareColumns";
import type { Network, Row } from "./compare";
import { CompareData } from "./compareData.svelte";
import { mainKind } from "./comparePoints";
import { toggled } from "./comparePair";
import { COSTS } from "./costPoints";
import { OptionalParam, ViewParam } from "./viewParam.svelte";

/** Up to so many candidates, all views follow a brush while it is drawn; beyond, when it is let go. */
const LIVE = 2_000;

export const FACES = ["heat", "parallel"] as const;

/** As the address has it, but the same object while the address says the same: views that take time are not drawn again. */
class Steady<T> {
  readonly #param: ViewParam<T>;
  readonly #codec: Codec<T>;
  readonly #written = $derived.by(() => this.#codec.write(this.#param.value));
  readonly #value = $derived.by(() => this.#codec.read(this.#written));
  readonly #fallback: T;

  constructor(name: string, codec: Codec<T>, fallback: T) {
    this.#param = new ViewParam(name, codec, fallback);
    this.#codec = codec;
    this.#fallback = fallback;
  }

  get value(): T {
    return this.#value ?? this.#fallback;
  }

  set value(value: T) {
    this.#param.value = value;
  }
}

export class CompareView {
  readonly data = new CompareData();

  readonly searches = new Steady<readonly string[]>("searches", list, []);
  readonly candidates = new Steady<readonly string[]>("candidates", list, []);
  readonly baseline = new OptionalParam("baseline", text);
  readonly sort = new Steady("sort", sortCodec, BY_ACCURACY);
  readonly face = new ViewParam("face", oneOf(FACES), "heat");
  readonly model = new OptionalParam("model", text);
  readonly selected = new Steady<readonly string[]>("selected", list, []);
  readonly allColumns = new ViewParam("all-columns", flag, false);
  readonly allSettings = new ViewParam("all-settings", flag, false);
  readonly #brushes = new Steady<readonly Brush[]>("brush", brushCodec, []);

  /** The brushes as they will be when what is being drawn is done; the address has them then. */
  #draft = $state.raw<readonly Brush[]>();
  /** The candidate that the pointer or the cursor is on, in whichever view. */
  hoverId = $state<string>();
  /** The group that the pointer or the cursor is on. */
  group = $state(0);

  /** Those that can win. */
  readonly rows = $derived.by(() => this.data.rows.filter(({ isProbe }) => !isProbe));
  readonly byId = $derived.by(() => new Map(this.data.rows.map((row) => [row.id, row])));
  /** As they are drawn. */
  readonly brushes = $derived.by(() => this.#draft ?? this.#brushes.value);
  readonly #applied = $derived.by(() => (this.rows.length > LIVE ? this.#brushes.value : this.brushes));
  readonly #inOrder = $derived.by(() => sorted(this.rows, this.sort.value));
  /** What is looked at; `shown` is the same in the order of the table, which not all views depend on. */
  readonly passing = $derived.by(() => within(this.rows, this.#applied));
  readonly shown = $derived.by(() => within(this.#inOrder, this.#applied));
  readonly networks = $derived.by(() => [
    ...new Map(this.rows.map(({ origin }) => [origin.network.id, origin.network])).values(),
  ]);
  /** The searches that the candidates are of. */
  readonly origins = $derived.by(() => [...new Map(this.rows.map(({ origin }) => [origin.id, origin])).values()]);
  readonly hasSearches = $derived(this.origins.length > 1);
  readonly #hasAll = $derived.by(() => this.allColumns.value);
  readonly columns = $derived.by(() => (this.#hasAll ? [...COLUMNS] : differingColumns(this.rows)));
  readonly #pinnedId = $derived.by(() => this.baseline.value);
  /** What the others are measured against; undefined stands for the full network. */
  readonly pinned = $derived.by(() => (this.#pinnedId === undefined ? undefined : this.byId.get(this.#pinnedId)));
  readonly #modelId = $derived.by(() => this.model.value);
  /** The model whose groups are shown. */
  readonly network: Network | undefined = $derived.by(
    () => this.networks.find(({ id }) => id === this.#modelId) ?? this.networks[0],
  );
  /** Of that model: those that are looked at in the order of the table, and all in any. */
  readonly ofModel = $derived.by(() => this.#of(this.shown));
  readonly allOfModel = $derived.by(() => this.#of(this.rows));
  readonly axes: Axis[] = $derived.by(() => (this.network ? groupAxes(this.network) : []));
  /** The kind of times that are compared. */
  readonly kind = $derived.by(() => mainKind(this.rows));
  readonly costAxes: Axis[] = $derived.by(() =>
    COSTS.map((cost) => costAxis(cost, this.kind)).filter(({ value }) =>
      this.rows.some((row) => value(row) !== undefined),
    ),
  );
  readonly limitable: Axis[] = $derived.by(() => [ACCURACY, COST, ...this.costAxes, ...this.axes]);
  readonly selectedRows = $derived.by(() => this.selected.value.flatMap((id) => this.byId.get(id) ?? []));

  #of(rows: readonly Row[]): readonly Row[] {
    return this.networks.length < 2 ? rows : rows.filter(({ origin }) => origin.network.id === this.network?.id);
  }

  select(id: string): void {
    this.selected.value = toggled(this.selected.value, id);
  }

  pin(id: string): void {
    this.baseline.value = this.baseline.value === id ? undefined : id;
  }

  /** Looks at what lies between bounds on some axes only; at all of an axis that comes without bounds. */
  limit(limits: Readonly<Record<string, Bounds>>): void {
    this.#draft = undefined;
    this.#brushes.value = this.#with(limits);
  }

  /** As `limit`, for as long as it is being drawn. */
  draft(limits: Readonly<Record<string, Bounds>>): void {
    this.#draft = this.#with(limits);
  }

  #with(limits: Readonly<Record<string, Bounds>>): readonly Brush[] {
    return Object.entries(limits).reduce<readonly Brush[]>(
      (brushes, [axis, bounds]) => withBrush(brushes, axis, bounds),
      this.#brushes.value,
    );
  }

  clearBrushes(): void {
    this.#draft = undefined;
    this.#brushes.value = [];
  }

  /** Compares the selected candidates and nothing else. */
  keepSelected(): void {
    const ids = this.selectedRows.map(({ id }) => id);
    this.candidates.value = ids;
    this.searches.value = [];
  }
}
