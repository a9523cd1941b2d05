// Asks the Prometheus that serves this page.

const API = "../api/v1/";
const PATIENCE_MILLISECONDS = 10000;
// At least as long as four scrapes, so that each rate has samples to rest on.
const SHORTEST_RATE_SECONDS = 60;

// The series of an instant vector: [{labels, value}].
export async function now(expression) {
  const data = await ask("query", { query: concrete(expression, SHORTEST_RATE_SECONDS) });
  return data.result.map((series) => ({ labels: series.metric, value: Number(series.value[1]) }));
}

// The series from `start` to `end`, a value per moment of `times`, null where there was none: [{labels, values}].
export async function between(expression, times, step) {
  const data = await ask("query_range", {
    query: concrete(expression, Math.max(step, SHORTEST_RATE_SECONDS)),
    start: times[0],
    end: times[times.length - 1],
    step,
  });
  return data.result.map((series) => {
    const byTime = new Map(series.values.map(([at, value]) => [Math.round(at), Number(value)]));
    const values = times.map((at) => byTime.get(at) ?? null);
    return { labels: series.metric, values: values.map((value) => (Number.isFinite(value) ? value : null)) };
  });
}

// Alerts with their texts, which no expression gives: [{labels, annotations, state, activeAt}].
export async function alerts() {
  return (await ask("alerts", {})).alerts;
}

async function ask(path, parameters) {
  const response = await fetch(`${API}${path}?${new URLSearchParams(parameters)}`, {
    signal: AbortSignal.timeout(PATIENCE_MILLISECONDS),
  });
  const answer = await response.json();
  if (answer.status !== "success") throw new Error(answer.error);
  return answer.data;
}

// Grafana's variable, so that one expression serves both.
function concrete(expression, rateSeconds) {
  return expression.replaceAll("$__rate_interval", `${rateSeconds}s`);
}
