// A panel of kind chart: a card with its lines, its legend with the values of a moment, and the same as a table.

import uPlot from "./chart-library/uPlot.esm.js";
import { html, say } from "./dom.js";
import { format, moment, UNIT_NAMES } from "./format.js";
import { legend } from "./panels.js";
import { table } from "./table.js";

const HEIGHT = 180;
const TABLE_ROWS = 12;
// A component has the same colour in each chart.
const COLOURED = [
  "kafka", "lambda-producer", "lambda-consumer", "lambda-postgres",
  "lambda-csv-batch", "lambda-cron-runner", "lambda-pgadmin", "lambda-db-setup",
];

export class Chart {
  constructor(panel) {
    this.panel = panel;
    this.times = [];
    this.series = [];
    this.plot = null;
    this.legend = html("ul", { class: "legend" });
    this.at = html("p", { class: "moment" });
    this.canvas = html("div", {
      class: "plot", role: "slider", tabindex: "0", "aria-label": `${panel.name}, moment`, "aria-valuemin": "0",
    });
    this.empty = html("p", { class: "quiet empty" }, "No data in this time.");
    this.details = html("details", {}, html("summary", {}, "Table", html("span", { class: "hidden" }, ` of ${panel.name}`)));
    const title = html("h3", { id: `chart-${panel.id}` }, panel.name);
    this.card = html(
      "article", { class: "card chart", "aria-labelledby": title.id },
      html("div", { class: "card-head" }, title, html("p", { class: "unit" }, UNIT_NAMES[panel.unit])),
      this.legend, this.at, this.canvas, this.empty, this.details,
    );
    this.canvas.addEventListener("keydown", (event) => this.move(event));
    this.canvas.addEventListener("blur", () => this.plot?.setCursor({ left: -10, top: -10 }));
    this.details.addEventListener("toggle", () => this.fillTable());
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.canvas);
  }

  // `answers` has the series of each query, in the order of the panel; `long` says that the span exceeds a day.
  update(times, answers, long) {
    const series = this.panel.queries.flatMap((query, index) =>
      answers[index].map((one) => ({ ...one, name: legend(query.legend, one.labels) })),
    );
    series.sort((one, other) => (this.panel.queries.length > 1 ? 0 : one.name.localeCompare(other.name)));
    const names = (list) => JSON.stringify(list.map((one) => one.name));
    const same = this.plot && this.long === long && names(series) === names(this.series);
    Object.assign(this, { times, series, long });
    this.card.classList.toggle("without-data", series.length === 0);
    if (series.length === 0) return this.clear();
    if (same) this.plot.setData(this.data());
    else this.draw();
    this.read();
    return undefined;
  }

  // Called, too, when the colours of the page change.
  draw() {
    this.clear();
    if (this.series.length === 0) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.series.forEach((one, index) => {
      const fixed = COLOURED.indexOf(one.labels.component);
      one.colour = ((fixed < 0 ? index : fixed) % 8) + 1;
    });
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    this.plot = new uPlot(
      {
        ...this.size(),
        legend: { show: false },
        cursor: { sync: { key: "moment" }, y: false, drag: { setScale: false, x: false, y: false }, points: { size: 7 } },
        scales: { x: { time: true }, y: { range: (_, low, high) => [0, this.top(high)] } },
        axes: [
          { ...axis, size: 30, space: 70, values: (_, splits) => splits.map((at) => tick(at, this.long)) },
          { ...axis, size: 64, space: 36, values: (_, splits) => splits.map((value) => format(value, this.panel.unit)) },
        ],
        series: [
          {},
          ...this.series.map((one) => ({
            label: one.name, stroke: colour(`--line-${one.colour}`), width: 1.75, points: { show: false },
          })),
        ],
        hooks: { setCursor: [() => this.read()] },
      },
      this.data(),
      this.canvas,
    );
    this.legend.replaceChildren(
      ...this.series.map((one) =>
        html("li", {}, html("span", { class: `swatch line-${one.colour}` }), html("span", { class: "name" }, one.name), html("b")),
      ),
    );
    this.fillTable();
  }

  clear() {
    this.plot?.destroy();
    this.plot = null;
    this.legend.replaceChildren();
    this.details.querySelector(".table")?.remove();
    say(this.at, "");
  }

  size() {
    return { width: Math.max(this.canvas.clientWidth, 100), height: HEIGHT };
  }

  // A share is seen against the whole of its limit.
  top(high) {
    const least = this.panel.unit === "share" ? 1 : 0;
    return high === null || high <= least ? least || 1 : high * 1.08;
  }

  data() {
    return [this.times, ...this.series.map((one) => one.values)];
  }

  // The legend shows the moment under the cursor, else the newest values.
  read() {
    if (!this.plot) return;
    const index = this.plot.cursor.idx ?? null;
    const values = this.series.map((one) => format(index === null ? newest(one.values) : one.values[index], this.panel.unit));
    [...this.legend.children].forEach((item, position) => say(item.lastChild, values[position]));
    const at = index === null ? "now" : moment(this.times[index], this.long);
    say(this.at, at);
    this.canvas.setAttribute("aria-valuemax", this.times.length - 1);
    this.canvas.setAttribute("aria-valuenow", index ?? this.times.length - 1);
    this.canvas.setAttribute("aria-valuetext", `${at}: ${this.series.map((one, position) => `${one.name} ${values[position]}`).join(", ")}`);
  }

  move(event) {
    const last = this.times.length - 1;
    const index = this.plot?.cursor.idx ?? last;
    const stride = event.shiftKey ? 10 : 1;
    const to = { ArrowLeft: index - stride, ArrowRight: index + stride, Home: 0, End: last }[event.key];
    if (to === undefined || !this.plot) return;
    event.preventDefault();
    this.plot.setCursor({ left: this.plot.valToPos(this.times[Math.min(Math.max(to, 0), last)], "x"), top: 1 });
  }

  // Only when it is opened or the span changes: what is being read does not move.
  fillTable() {
    this.details.querySelector(".table")?.remove();
    if (!this.details.open || this.series.length === 0) return;
    const stride = (this.times.length - 1) / TABLE_ROWS;
    const rows = Array.from({ length: TABLE_ROWS + 1 }, (_, row) => this.times.length - 1 - Math.round(row * stride));
    this.details.append(
      table(
        `${this.panel.name}, newest first`,
        ["Time", ...this.series.map((one) => one.name)],
        rows.map((index) => [moment(this.times[index], this.long), ...this.series.map((one) => format(one.values[index], this.panel.unit))]),
      ),
    );
  }
}

function newest(values) {
  // The newest moment may be younger than the last scrape.
  return values.at(-1) ?? values.at(-2) ?? null;
}

function tick(at, long) {
  const text = moment(at, long);
  return long ? text.split(",")[0] : text;
}
