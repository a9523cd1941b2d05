// The two paths of the platform as a picture that lives: boxes are components, arrows carry what moves between them.

import { html, say, svg } from "./dom.js";
import { format, NONE } from "./format.js";
import { table } from "./table.js";

// From this width on (of the page, in pixels) the paths lie side by side; below, they run down and up to PostgreSQL.
const WIDE = matchMedia("(min-width: 900px)");

const NODES = {
  producer: { component: "lambda-producer" },
  kafka: { component: "kafka" },
  consumer: { component: "lambda-consumer" },
  postgres: { component: "lambda-postgres" },
  inbox: { title: "Inbox", says: [(facts) => [plural(facts.inbox_files, "file", "not taken"), plural(facts.inbox_waiting, "file", "waiting")]] },
  runner: { component: "lambda-cron-runner", idle: "at rest" },
  batch: { component: "lambda-csv-batch", idle: "at rest" },
  setup: { component: "lambda-db-setup", idle: "done" },
  pgadmin: { component: "lambda-pgadmin" },
};

// What stands on an arrow: the first line is the one that counts. `moves` is what makes its dots run.
const EDGES = {
  "producer-kafka": { says: (facts) => [format(facts.events_in, "per_second"), "events in"], moves: "events_in" },
  "kafka-consumer": {
    says: (facts) => [`lag ${format(facts.lag_seconds, "seconds")}`, `${format(facts.lag_records, "count")} waiting`],
    moves: "rows_out",
  },
  "consumer-postgres": {
    says: (facts) => [format(facts.rows_out, "per_second"), `p99 ${format(facts.latency_p99, "seconds")}`], moves: "rows_out",
  },
  "inbox-runner": { says: () => ["", "files"], moves: "jobs_pending" },
  "runner-batch": {
    says: (facts) => [plural(facts.jobs_pending, "job"), facts.jobs_failed ? `${format(facts.jobs_failed, "count")} given up` : "pending"],
    moves: "jobs_pending",
  },
  "batch-postgres": {
    says: (facts) => [format(facts.night_rows, "count"), `rows, ${ago(facts.night_age)}`], moves: "jobs_pending",
  },
  "postgres-pgadmin": { says: () => ["", "reads"] },
};

// The parts of PostgreSQL: a name, what counts, what explains it.
const LAYERS = [
  (facts) => ["Master data set", told(facts.freshness, `newest row ${format(facts.freshness, "seconds")} old`), plural(facts.dead_letters_open, "dead letter", "open")],
  (facts) => ["Speed layer", plural(facts.speed_rows, "row"), plural(facts.dirty_days, "closed day", "to count again")],
  (facts) => ["Batch layer", told(facts.recompute_age, `counted ${ago(facts.recompute_age)}`), "each closed day, from its rows"],
  (facts) => ["Audit", facts.verify_differences === 0 ? "exact" : plural(facts.verify_differences, "difference"), ago(facts.verify_age)],
];

const LAYOUTS = {
  wide: {
    size: [1200, 500],
    labels: [["Stream, all day", 0, 14], ["Batch, at midnight or by file", 0, 190], ["Beside them", 321, 366]],
    boxes: {
      producer: [0, 26, 208, 116], kafka: [321, 26, 208, 116], consumer: [642, 26, 208, 116], postgres: [963, 26, 237, 468],
      inbox: [0, 202, 208, 116], runner: [321, 202, 208, 116], batch: [642, 202, 208, 116],
      setup: [321, 378, 208, 116], pgadmin: [642, 378, 208, 116],
    },
    arrows: {
      "producer-kafka": [208, 84, 321, 84], "kafka-consumer": [529, 84, 642, 84], "consumer-postgres": [850, 84, 963, 84],
      "inbox-runner": [208, 260, 321, 260], "runner-batch": [529, 260, 642, 260], "batch-postgres": [850, 260, 963, 260],
      "postgres-pgadmin": [963, 436, 850, 436],
    },
  },
  tall: {
    size: [358, 1866],
    labels: [["Stream, all day", 0, 14], ["Batch, at midnight or by file", 62, 1114], ["Beside them", 0, 1608]],
    boxes: {
      producer: [0, 26, 358, 116], kafka: [0, 200, 358, 116], consumer: [0, 374, 358, 116], postgres: [0, 548, 358, 468],
      batch: [0, 1126, 358, 116], runner: [0, 1300, 358, 116], inbox: [0, 1474, 358, 100],
      setup: [0, 1620, 358, 116], pgadmin: [0, 1748, 358, 116],
    },
    arrows: {
      "producer-kafka": [40, 142, 40, 200], "kafka-consumer": [40, 316, 40, 374], "consumer-postgres": [40, 490, 40, 548],
      "batch-postgres": [40, 1126, 40, 1016], "runner-batch": [40, 1300, 40, 1242], "inbox-runner": [40, 1474, 40, 1416],
    },
  },
};

function plural(count, noun, after = "") {
  if (count === null) return NONE;
  const name = count === 1 ? noun : `${noun}s`;
  return [format(count, "count"), name, after].filter(Boolean).join(" ");
}

function told(value, text) {
  return value === null ? NONE : text;
}

function ago(seconds) {
  return seconds === null ? NONE : `${format(seconds, "seconds")} ago`;
}

// [state, word] of a component: its row of the table of components, and the components that alerts name.
function condition(row, idle, alerted) {
  if (row?.up === undefined) return ["unknown", "no data"];
  if (row.failed) return ["bad", "failed"];
  if (!row.up) return ["bad", "down"];
  if (alerted) return ["warn", "alert"];
  return ["good", idle && row.cpu === undefined ? idle : "up"];
}

export class Picture {
  constructor(container, panels) {
    this.panels = panels;
    this.holder = html("div", { class: "picture" });
    this.details = html("details", {}, html("summary", {}, "The picture as a table"));
    container.append(this.holder, this.details);
    this.details.addEventListener("toggle", () => this.fillTables());
    WIDE.addEventListener("change", () => this.draw());
    this.facts = null;
    this.draw();
  }

  draw() {
    const layout = LAYOUTS[WIDE.matches ? "wide" : "tall"];
    const [width, height] = layout.size;
    // Each writes one value into its place.
    this.writers = [];
    this.root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "The paths of the platform; the table below says the same" });
    for (const [text, x, y] of layout.labels) this.root.append(svg("text", { x, y, class: "path-name" }, text));
    for (const [name, line] of Object.entries(layout.arrows)) this.root.append(this.arrow(name, line));
    for (const [name, box] of Object.entries(layout.boxes)) this.root.append(this.box(NODES[name], name === "postgres", box));
    this.holder.replaceChildren(this.root);
    if (this.facts) this.update(this.facts, this.alerts);
  }

  // `facts` are the answers of readNow.
  update(facts, alerts) {
    Object.assign(this, { facts, alerts });
    const alerted = new Set(alerts.map((alert) => alert.labels.component));
    for (const write of this.writers) write(facts, alerted);
  }

  arrow(name, [x1, y1, x2, y2]) {
    const edge = EDGES[name];
    const ends = name.split("-").map((node) => NODES[node].component);
    const upright = x1 === x2;
    const end = upright ? [x2, y2 - Math.sign(y2 - y1) * 7] : [x2 - Math.sign(x2 - x1) * 7, y2];
    const group = svg("g", { class: "arrow" });
    const line = `M${x1} ${y1}L${end[0]} ${end[1]}`;
    const tip = upright ? `M${x2 - 5} ${end[1]}h10L${x2} ${y2}z` : `M${end[0]} ${y2 - 5}v10L${x2} ${y2}z`;
    const middle = [(x1 + x2) / 2, (y1 + y2) / 2];
    const main = upright
      ? svg("text", { x: x1 + 22, y: middle[1] - 2, class: "main" })
      : svg("text", { x: middle[0], y: y1 - 10, class: "main centred" });
    const sub = upright
      ? svg("text", { x: x1 + 22, y: middle[1] + 16, class: "sub" })
      : svg("text", { x: middle[0], y: y1 + 21, class: "sub centred" });
    group.append(svg("path", { d: line, class: "line" }), svg("path", { d: line, class: "dots" }), svg("path", { d: tip, class: "tip" }), main, sub);
    this.writers.push((facts) => {
      const [first, second] = edge.says(facts);
      say(main, first);
      say(sub, second);
      // A rate is that of the last minute; an end that is down says sooner that nothing moves.
      const broken = ends.some((component) => condition(facts.components[component])[0] === "bad");
      group.classList.toggle("broken", broken);
      group.classList.toggle("moving", !broken && facts[edge.moves] > 0);
    });
    return group;
  }

  box(node, layered, [x, y, width, height]) {
    const group = svg("g", { class: "box", transform: `translate(${x} ${y})`, "data-component": node.component });
    group.append(svg("rect", { width, height, rx: 8, class: "frame" }));
    group.append(svg("text", { x: 14, y: 25, class: "title" }, node.title ?? node.component));
    if (node.component) {
      const word = svg("text", { x: 27, y: 44, class: "state" });
      group.append(svg("circle", { cx: 18, cy: 40, r: 4, class: "lamp" }), word);
      this.writers.push((facts, alerted) => {
        const row = facts.components[node.component];
        const [state, text] = condition(row, node.idle, alerted.has(node.component));
        group.dataset.state = state;
        say(word, row?.restarts ? `${text}, ${plural(row.restarts, "restart")}` : text);
      });
      group.append(
        this.meter(node.component, "CPU", "cpu", (row) => `${format(row.cores, "count")} ${row.cores === 1 ? "core" : "cores"}`, 67, width),
        this.meter(node.component, "Memory", "memory", (row) => format(row.bytes, "bytes"), 95, width),
      );
    }
    (node.says ?? []).forEach((says) => group.append(this.lines(says, 14, 60)));
    if (layered) LAYERS.forEach((says, index) => group.append(this.layer(says, 124 + index * 84, width)));
    return group;
  }

  meter(component, name, column, limit, y, width) {
    const value = svg("text", { x: width - 14, y, class: "figure" });
    const use = svg("rect", { x: 14, y: y + 6, height: 4, rx: 2, width: 0, class: "use" });
    this.writers.push((facts) => {
      const row = facts.components[component];
      const used = row?.[column];
      say(value, row === undefined ? NONE : `${format(used, "share")} of ${limit(row)}`);
      use.setAttribute("width", Math.min(Math.max(used ?? 0, 0), 1) * (width - 28));
    });
    return svg("g", {}, svg("text", { x: 14, y, class: "label" }, name), value, svg("rect", { x: 14, y: y + 6, width: width - 28, height: 4, rx: 2, class: "rail" }), use);
  }

  lines(says, x, y) {
    const main = svg("text", { x, y, class: "main" });
    const sub = svg("text", { x, y: y + 20, class: "sub" });
    this.writers.push((facts) => {
      const [first, second] = says(facts);
      say(main, first);
      say(sub, second);
    });
    return svg("g", {}, main, sub);
  }

  layer(says, y, width) {
    const [name, main, sub] = [[12, 21, "label"], [12, 42, "main"], [12, 61, "sub"]].map(([x, dy, kind]) => svg("text", { x, y: dy, class: kind }));
    this.writers.push((facts) => says(facts).forEach((text, index) => say([name, main, sub][index], text)));
    return svg("g", { class: "layer", transform: `translate(14 ${y})` }, svg("rect", { width: width - 28, height: 74, rx: 6 }), name, main, sub);
  }

  // When it is opened: what is being read does not move.
  fillTables() {
    this.details.querySelectorAll(".table").forEach((old) => old.remove());
    if (!this.details.open || !this.facts) return;
    const { components } = this.facts;
    const alerted = new Set(this.alerts.map((alert) => alert.labels.component));
    const shown = Object.values(NODES).filter((node) => node.component);
    this.details.append(
      table(
        "Components",
        ["Component", "State", "CPU of its quota", "Quota, cores", "Memory of its limit", "Limit", "Restarts"],
        shown.map(({ component, idle }) => {
          const row = components[component] ?? {};
          return [
            component, condition(components[component], idle, alerted.has(component))[1], format(row.cpu, "share"), format(row.cores, "count"),
            format(row.memory, "share"), format(row.bytes, "bytes"), format(row.restarts, "count"),
          ];
        }),
      ),
      table(
        "What moves",
        ["Value", "Now"],
        this.panels.filter((panel) => panel.kind === "value").map((panel) => [panel.name, format(this.facts[panel.id], panel.unit)]),
      ),
    );
  }
}
