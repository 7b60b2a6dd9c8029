// Tables that sort and filter. The head of a sorting column holds a button, a cell may hold its value as data-value; an
// input with data-filters="ID" filters the rows of the table ID by words and conditions: adam epochs>5 state!=failed.
// On the event "choose" the table shows only the rows whose data-id is in the event's detail; null: all of them.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const columns = heads.map((head) => head.textContent.trim());
  const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
  const compare = (a, b) => (isNaN(a) || isNaN(b) ? String(a).localeCompare(b) : a - b);
  const signs = {
    "<=": (order) => order <= 0,
    ">=": (order) => order >= 0,
    "!=": (order) => order !== 0,
    "=": (order) => order === 0,
    "<": (order) => order < 0,
    ">": (order) => order > 0,
  };

  for (const [column, head] of heads.entries()) {
    head.querySelector("button")?.addEventListener("click", () => {
      const first = head.dataset.first ?? "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const order = head.ariaSort === first ? other : first;
      for (const each of heads) each.removeAttribute("aria-sort");
      head.ariaSort = order;
      const sign = order === "ascending" ? 1 : -1;
      const empty = (row) => value(row, column) === "";
      const rows = [...body.rows].sort(
        (a, b) => empty(a) - empty(b) || sign * compare(value(a, column), value(b, column)),
      );
      body.append(...rows);
    });
  }

  const condition = (word) => {
    const [, name, sign, wanted] = word.match(/^(.+?)(<=|>=|!=|=|<|>)(.*)$/) ?? [];
    const column = columns.indexOf(name);
    if (column < 0) return (row) => row.textContent.toLowerCase().includes(word.toLowerCase());
    return (row) => {
      const found = value(row, column);
      return (found !== "" || wanted === "") && signs[sign](compare(found.toLowerCase(), wanted.toLowerCase()));
    };
  };

  const input = document.querySelector(`[data-filters="${table.id}"]`);
  const count = document.querySelector(`[data-counts="${table.id}"]`);
  let chosen = null;
  const show = () => {
    const conditions = (input?.value ?? "").split(/\s+/).filter(Boolean).map(condition);
    let shown = 0;
    for (const row of body.rows) {
      row.hidden = !((!chosen || chosen.has(row.dataset.id)) && conditions.every((holds) => holds(row)));
      shown += !row.hidden;
    }
    if (count) count.textContent = `${shown} of ${body.rows.length}`;
  };
  input?.addEventListener("input", show);
  document.addEventListener("update", show); // of watch.js: there may be new rows
  table.addEventListener("choose", (event) => {
    chosen = event.detail && new Set(event.detail.map(String));
    show();
  });
  show();
}
