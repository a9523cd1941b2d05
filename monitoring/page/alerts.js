// The alerts that fire, each with what it means and where the runbook says what to do.

import { html } from "./dom.js";
import { moment } from "./format.js";

const ORDER = ["critical", "warning", "info"];

// Severity "none" is for the alert that always fires, to prove the way of the others.
export function firing(alerts) {
  const rank = (alert) => (ORDER.indexOf(alert.labels.severity) + ORDER.length + 1) % (ORDER.length + 1);
  return alerts
    .filter((alert) => alert.state === "firing" && alert.labels.severity !== "none")
    .sort((one, other) => rank(one) - rank(other) || one.activeAt.localeCompare(other.activeAt));
}

export function show(alerts, container) {
  // Elements stay while nothing changed: a link that was just focused keeps the focus.
  const content = JSON.stringify(alerts.map(({ labels, annotations, activeAt }) => [labels, annotations, activeAt]));
  if (container.dataset.content === content) return;
  container.dataset.content = content;
  container.replaceChildren(
    alerts.length ? html("ul", { class: "alert-list" }, ...alerts.map(entry)) : html("p", { class: "quiet" }, "None."),
  );
}

function entry(alert) {
  const { severity = "", alertname } = alert.labels;
  const where = alert.labels.component ?? alert.labels.instance;
  return html(
    "li",
    { "data-state": severity === "critical" ? "bad" : "warn" },
    html("span", { class: "severity" }, severity),
    html(
      "div",
      {},
      html("p", { class: "summary" }, alert.annotations.summary ?? alertname),
      alert.annotations.description ? html("p", { class: "description" }, alert.annotations.description) : null,
      html("p", { class: "origin" }, [alertname, where].filter(Boolean).join(" · ") + ` · since ${since(alert.activeAt)}`),
    ),
    runbook(alert.annotations.runbook_url, alertname),
  );
}

function since(text) {
  const at = Date.parse(text) / 1000;
  return moment(at, Date.now() / 1000 - at > 72000);
}

// A link only for addresses that a browser opens as a page.
function runbook(address, alertname) {
  if (!address) return null;
  let url = null;
  try {
    url = new URL(address, document.baseURI);
  } catch {
    return html("span", { class: "runbook" }, address);
  }
  if (!["http:", "https:"].includes(url.protocol)) return html("span", { class: "runbook" }, address);
  return html("a", { class: "runbook", href: url.href, "aria-label": `Runbook: ${alertname}` }, "Runbook");
}
