// Tables: of a chart, for those who do not see it, and of a panel that is a table.

import { html } from "./dom.js";

// `rows` are lists of texts; the first of each names its row.
export function table(caption, heads, rows) {
  return html(
    "div",
    { class: "table", role: "region", tabindex: "0", "aria-label": caption },
    html(
      "table",
      {},
      html("caption", {}, caption),
      html("thead", {}, html("tr", {}, ...heads.map((head) => html("th", { scope: "col" }, head)))),
      html("tbody", {}, ...rows.map(line)),
    ),
  );
}

function line([name, ...values]) {
  return html("tr", {}, html("th", { scope: "row" }, name), ...values.map((value) => html("td", {}, value)));
}
