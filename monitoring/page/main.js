// Keeps the page true: asks every few seconds while it is in sight, and shows what came.

import * as alertList from "./alerts.js";
import { Chart } from "./chart.js";
import { html, say } from "./dom.js";
import { format } from "./format.js";
import { load, readNow } from "./panels.js";
import { Picture } from "./picture.js";
import * as prometheus from "./prometheus.js";
import { table } from "./table.js";
import { judge } from "./verdict.js";

const PERIOD_MILLISECONDS = 5000;
const SPANS = {
  hour: { seconds: 3600, step: 15, refreshSeconds: 15 },
  day: { seconds: 86400, step: 300, refreshSeconds: 60 },
  week: { seconds: 604800, step: 1800, refreshSeconds: 300 },
};
const NIGHTS = "nights";

const $ = (id) => document.getElementById(id);
let span = "hour";
// When the charts were last read, in seconds since 1970.
let drawn = 0;

const panels = await load();
const picture = new Picture($("picture"), panels);
const chartPanels = panels.filter((panel) => panel.kind === "chart");
const charts = chartPanels.map((panel) => new Chart(panel));
const nights = nightsCard(panels.find((panel) => panel.id === NIGHTS));
$("charts").append(...charts.map((chart) => chart.card), nights.card);
$("spans").append(...Object.keys(SPANS).map(spanChoice));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((chart) => chart.draw()));
document.addEventListener("visibilitychange", () => document.hidden || refresh());
await run();

async function run() {
  for (;;) {
    await refresh();
    await new Promise((resolve) => setTimeout(resolve, PERIOD_MILLISECONDS));
  }
}

async function refresh() {
  if (document.hidden) return;
  try {
    const [facts, alerts] = await Promise.all([readNow(panels), prometheus.alerts()]);
    showNow(facts, alertList.firing(alerts));
    if (Date.now() / 1000 - drawn >= SPANS[span].refreshSeconds) await drawCharts();
    document.body.classList.remove("stale");
  } catch (error) {
    // The last answers stay in sight, marked as old; the verdict no longer rests on them.
    document.body.classList.add("stale");
    showVerdict(judge(null, []));
    console.warn(error.message);
  }
}

function showNow(facts, alerts) {
  showVerdict(judge(facts, alerts));
  picture.update(facts, alerts);
  alertList.show(alerts, $("alert-list"));
  nights.update(facts[NIGHTS]);
  say($("clock"), new Date().toLocaleTimeString("en-GB", { timeZoneName: "short" }));
}

function showVerdict({ state, line, facts }) {
  $("verdict").dataset.state = state;
  say($("verdict-line"), line);
  say($("verdict-facts"), facts);
  document.title = `${line} – Lambda data platform`;
}

async function drawCharts() {
  const { seconds, step } = SPANS[span];
  const asked = span;
  const end = Math.floor(Date.now() / 1000 / step) * step;
  const times = Array.from({ length: seconds / step + 1 }, (_, index) => end - seconds + index * step);
  const answers = await Promise.all(
    chartPanels.map((panel) => Promise.all(panel.queries.map((query) => prometheus.between(query.expression, times, step)))),
  );
  // The reader chose another span while these came.
  if (asked !== span) return;
  charts.forEach((chart, index) => chart.update(times, answers[index], seconds > 86400));
  drawn = Date.now() / 1000;
}

function spanChoice(name) {
  const input = html("input", { type: "radio", name: "span", value: name, checked: name === span ? "" : null });
  input.addEventListener("change", () => {
    span = name;
    drawn = 0;
    refresh();
  });
  return html("label", {}, input, html("span", {}, name));
}

function nightsCard(panel) {
  const title = html("h3", { id: "nights-title" }, panel.name);
  const body = html("div");
  const card = html("article", { class: "card nights", "aria-labelledby": title.id }, html("div", { class: "card-head" }, title), body);
  let shown = "";
  const update = (rows) => {
    if (JSON.stringify(rows) === shown) return;
    shown = JSON.stringify(rows);
    const names = Object.keys(rows).sort((one, other) => one - other);
    const line = (name) => [
      name === "1" ? "last night" : `${name} nights ago`,
      ...panel.queries.map(({ id, unit }) => (unit === "label" ? rows[name][id] ?? "–" : format(rows[name][id], unit))),
    ];
    body.replaceChildren(
      names.length ? table(panel.name, ["Night", ...panel.queries.map((query) => query.legend)], names.map(line)) : html("p", { class: "quiet" }, "No data."),
    );
    body.querySelectorAll("tbody tr").forEach((row, index) => {
      row.dataset.state = { failed: "bad", missing: "bad", pending: "warn" }[rows[names[index]].status] ?? "good";
    });
  };
  return { card, update };
}
