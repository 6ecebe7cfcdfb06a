"use strict";
(function () {
  const rows = Array.from(document.querySelectorAll("[data-row]"), function (row) {
    const group = row.closest("details");
    const title = group ? group.querySelector("summary").textContent : "";
    return { row: row, text: (title + " " + row.textContent).toLowerCase() };
  });
  if (rows.length < 8) return;
  const bar = document.createElement("div");
  bar.className = "filter";
  bar.setAttribute("role", "search");
  bar.innerHTML = '<label for="filter">Filter</label><input id="filter" type="search" autocomplete="off" spellcheck="false" placeholder="scope, address, name, field, rule"><output for="filter"></output>';
  document.querySelector("header").after(bar);
  const input = bar.querySelector("input");
  const output = bar.querySelector("output");
  input.addEventListener("input", function () {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach(function (r) {
      const match = words.every(function (w) { return r.text.includes(w); });
      r.row.hidden = !match;
      if (match) shown++;
    });
    document.querySelectorAll("table, details, section").forEach(function (box) {
      box.hidden = box.querySelector("[data-row]") !== null && box.querySelector("[data-row]:not([hidden])") === null;
    });
    document.querySelectorAll(".wide").forEach(function (box) { box.hidden = box.querySelector("table").hidden; });
    output.textContent = words.length ? shown + " of " + rows.length + " rows" : "";
  });
})();
