// The platform in one line: bad (something is down, or a critical alert), warn (another alert), good, or unknown.

import { format } from "./format.js";

// `facts` are the answers of readNow, `alerts` those that fire; null where Prometheus did not answer.
export function judge(facts, alerts) {
  if (facts === null) return { state: "unknown", line: "Prometheus does not answer", facts: "What is shown is older." };
  const down = facts.units_down.map((unit) => `${unit.name} is down`);
  const waiting = facts.waiting_workers.map((peer) => `the consumer waits for ${peer.name}`);
  const silent = facts.silent_targets.map((target) => `${target.name} does not answer`);
  // An alert about a component that is down says the same again.
  const fresh = alerts.filter((alert) => !facts.units_down.some((unit) => unit.name === alert.labels.component));
  const critical = fresh.filter((alert) => alert.labels.severity === "critical");
  const other = fresh.filter((alert) => alert.labels.severity !== "critical");
  const bad = [...down, ...critical.map(sentence)];
  const warn = [...waiting, ...silent, ...other.map(sentence)];
  if (bad.length) return { state: "bad", line: first([...bad, ...warn]), facts: figures(facts) };
  if (warn.length) return { state: "warn", line: first(warn), facts: figures(facts) };
  if (!Object.keys(facts.components).length) {
    return { state: "unknown", line: "No component reports yet", facts: "Prometheus answers, and has no lambda_unit_up." };
  }
  return { state: "good", line: "All is well", facts: figures(facts) };
}

function sentence(alert) {
  return alert.annotations.summary || alert.labels.alertname;
}

function first(sentences) {
  const more = sentences.length - 1;
  const line = sentences[0].charAt(0).toUpperCase() + sentences[0].slice(1);
  return more ? `${line.replace(/\.$/, "")}, and ${more} more` : line;
}

function figures(facts) {
  const parts = [
    ["", facts.rows_out, "count", " rows/s"],
    ["newest row ", facts.freshness, "seconds", " old"],
    ["", facts.lag_records, "count", " waiting"],
    ["newest night completed ", facts.night_age, "seconds", " ago"],
  ];
  return parts
    .filter(([, value]) => value !== null)
    .map(([before, value, unit, after]) => `${before}${format(value, unit)}${after}`)
    .join("  ·  ");
}
