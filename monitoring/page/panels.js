// The panels of panels.json, which Grafana's dashboard is made from as well, and their answers.

import { now } from "./prometheus.js";

export async function load() {
  const response = await fetch("panels.json");
  return (await response.json()).panels;
}

// "{{job}} at {{instance}}" with the values of labels.
export function legend(template, labels) {
  return (template ?? "").replace(/{{(\w+)}}/g, (_, name) => labels[name] ?? "?");
}

// What is true now of all panels that are no charts: by the panel's id, a number or null, a list of
// {name, labels}, or a table {key: {column: value}}.
export async function readNow(panels) {
  const read = panels.filter((panel) => panel.kind in READERS);
  const answers = await Promise.all(read.map((panel) => Promise.all(panel.queries.map((query) => now(query.expression)))));
  return Object.fromEntries(read.map((panel, index) => [panel.id, READERS[panel.kind](panel, answers[index])]));
}

const READERS = {
  value: (panel, [series]) => (series.length && Number.isFinite(series[0].value) ? series[0].value : null),
  list: (panel, [series]) =>
    series.map((one) => ({ name: legend(panel.queries[0].legend, one.labels), labels: one.labels })),
  table: (panel, answers) => {
    const rows = {};
    panel.queries.forEach((query, index) => {
      for (const one of answers[index]) {
        const row = (rows[one.labels[panel.key]] ??= {});
        row[query.id] = query.label ? one.labels[query.label] : one.value;
      }
    });
    return rows;
  },
};
