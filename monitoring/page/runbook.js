// Shows runbook.md, the repository's docs/runbook.md, with headings that an alert's link can name.

import { html } from "./dom.js";

const BLOCKS = [
  [/^```.*\n([^]*?)\n```[^\n]*(?:\n|$)/, ([, code]) => html("pre", { tabindex: "0" }, html("code", {}, code))],
  [/^(#{1,4}) +(.+)(?:\n|$)/, ([, marks, text]) => html(`h${marks.length}`, { id: anchor(text), tabindex: "-1" }, ...inline(text))],
  [/^(?:\|.*(?:\n|$))+/, ([text]) => tableOf(text.trim().split("\n"))],
  [/^(?:(?:[-*]|\d+\.) .*(?:\n|$)(?: +.*(?:\n|$))*)+/, ([text]) => listOf(text)],
  [/^(?:(?!```|#{1,4} |\||(?:[-*]|\d+\.) ).+(?:\n|$))+/, ([text]) => html("p", {}, ...inline(text.trim()))],
];

const main = document.getElementById("runbook");
const response = await fetch("runbook.md");
if (response.ok) {
  main.replaceChildren(...blocks(await response.text()));
  addEventListener("hashchange", goTo);
  goTo();
} else {
  main.textContent = "This Prometheus has no runbook.md. It is docs/runbook.md of the repository.";
}

function goTo() {
  const heading = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  heading?.scrollIntoView();
  heading?.focus();
}

export function blocks(text) {
  const found = [];
  for (let rest = text.replace(/^\n+/, ""); rest; rest = rest.replace(/^\n+/, "")) {
    const [match, make] = BLOCKS.map(([pattern, maker]) => [rest.match(pattern), maker]).find(([one]) => one) ?? [[rest], ([all]) => html("p", {}, all)];
    found.push(make(match));
    rest = rest.slice(match[0].length);
  }
  return found;
}

function listOf(text) {
  const items = text.split(/^(?:[-*]|\d+\.) /m).filter(Boolean);
  return html(/^\d/.test(text) ? "ol" : "ul", {}, ...items.map((item) => html("li", {}, ...blocks(item.replace(/^ {2,}/gm, "")))));
}

function tableOf([heads, , ...rows]) {
  const cells = (line) => line.replace(/^\||\|$/g, "").split("|").map((cell) => inline(cell.trim()));
  return html(
    "div", { class: "table", role: "region", tabindex: "0", "aria-label": "Table" },
    html(
      "table", {},
      html("thead", {}, html("tr", {}, ...cells(heads).map((cell) => html("th", { scope: "col" }, ...cell)))),
      html("tbody", {}, ...rows.map((row) => html("tr", {}, ...cells(row).map((cell) => html("td", {}, ...cell))))),
    ),
  );
}

// Code, bold and links; everything else is text.
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)\s]+\))/).map((part) => {
    if (/^`.+`$/.test(part)) return html("code", {}, part.slice(1, -1));
    if (/^\*\*.+\*\*$/.test(part)) return html("strong", {}, ...inline(part.slice(2, -2)));
    const link = part.match(/^\[(.+)\]\((#.+|https?:.+)\)$/);
    return link ? html("a", { href: link[2] }, ...inline(link[1])) : part.replace(/^\[(.+)\]\(.+\)$/, "$1").replace(/\s*\n\s*/g, " ");
  });
}

// As code hosts name the heading.
function anchor(text) {
  return text.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-");
}
