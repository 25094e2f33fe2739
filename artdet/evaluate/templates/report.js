"use strict";
// Tables can be sorted by a click on a column's head; without this script they stand in their first order.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  const first = [...body.rows];
  const value = (row, column) => {
    if (column === 0) return row.cells[0].textContent.trim();
    const text = row.cells[column].dataset.value;
    return text === "" ? null : Number(text);
  };
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if ("still" in head.dataset) return;
    // No <button>: browsers leave it out of a head that is repeated on the next printed page.
    const button = document.createElement("span");
    button.setAttribute("role", "button");
    button.tabIndex = 0;
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      button.click();
    });
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const start = column === 0 ? "ascending" : "descending";
      const other = column === 0 ? "descending" : "ascending";
      const wanted = before === null ? start : before === start ? other : null;
      for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
      const rows = [...first];
      if (wanted !== null) {
        head.setAttribute("aria-sort", wanted);
        const sign = wanted === "ascending" ? 1 : -1;
        rows.sort((a, b) => {
          const [x, y] = [value(a, column), value(b, column)];
          if (x === null || y === null) return (x === null) - (y === null);
          return sign * compare(x, y);
        });
      }
      body.append(...rows);
    });
  });
}
