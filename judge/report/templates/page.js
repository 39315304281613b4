// Shows and hides curves, sorts tables, opens the section of an agent. The page is whole without it.
(() => {
  "use strict";
  document.documentElement.classList.add("js");

  const keys = [...document.querySelectorAll(".keys button[data-key]")];
  function press(key, on) {
    for (const button of keys.filter((one) => one.dataset.key === key)) button.setAttribute("aria-pressed", String(on));
    for (const mark of document.querySelectorAll(`.chart [data-key="${key}"]`)) mark.classList.toggle("off", !on);
  }
  for (const button of keys) {
    button.addEventListener("click", () => press(button.dataset.key, button.getAttribute("aria-pressed") !== "true"));
  }
  for (const button of document.querySelectorAll(".keys button[data-show]")) {
    button.addEventListener("click", () => {
      for (const { dataset } of keys) press(dataset.key, button.dataset.show === "all" || "market" in dataset);
    });
  }

  function sortBy(table, column, down) {
    const body = table.tBodies[0];
    const value = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent.trim();
    const rows = [...body.rows].sort((one, two) => {
      const a = value(one), b = value(two);
      if (a === "" || b === "") return (a === "") - (b === "");
      const order = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
      return down ? -order : order;
    });
    body.append(...rows);
    [...table.tHead.rows[0].cells].forEach((cell, n) =>
      n === column ? cell.setAttribute("aria-sort", down ? "descending" : "ascending") : cell.removeAttribute("aria-sort"));
  }
  for (const button of document.querySelectorAll("th button")) {
    button.addEventListener("click", () => {
      const cell = button.closest("th");
      const down = cell.hasAttribute("aria-sort") ? cell.getAttribute("aria-sort") === "ascending" : cell.dataset.first !== "up";
      sortBy(cell.closest("table"), cell.cellIndex, down);
    });
  }

  // A link to an agent opens it.
  function openTarget() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") target.open = true;
  }
  addEventListener("hashchange", openTarget);
  openTarget();

  document.querySelector("nav details").open = matchMedia("(min-width: 1100px)").matches;
})();
