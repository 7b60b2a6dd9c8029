// The confusion matrix: a cell that is chosen, by mouse or keyboard, shows its images.
{
  const { names, cells, columns, size } = JSON.parse(document.getElementById("tests").textContent);
  const buttons = [...document.querySelectorAll(".matrix button")];
  const [title, text, list] = document.getElementById("cell").children;
  const count = (button) => Number(button.textContent);
  const percent = (share) => `${(100 * share).toFixed(2)}%`;
  const element = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  const item = (it) => {
    const picture = element("span", { className: "sample", role: "img", ariaLabel: `test image ${it.row}` });
    picture.style.backgroundPosition = `-${(it.at % columns) * size[0]}px -${Math.floor(it.at / columns) * size[1]}px`;
    const wrong = it.true !== it.predicted;
    const other = element("span", { className: "grey" }, wrong ? `${names[it.true]}: ${percent(it.of_true)}` : "");
    return element("li", {}, picture, element("b", {}, percent(it.probability)), other);
  };

  const show = (button) => {
    const shown = cells[`${button.dataset.true},${button.dataset.predicted}`] ?? [];
    for (const one of buttons) one.toggleAttribute("aria-current", one === button);
    title.textContent = button.ariaLabel;
    text.textContent = shown.length < count(button) ? `The most confident ${shown.length}:` : "";
    list.replaceChildren(...shown.map(item));
  };

  // one stop of the Tab key for the whole grid; arrows move in it (the pattern "grid" of the ARIA Authoring Practices)
  const stop = (button) => {
    for (const one of buttons) one.tabIndex = one === button ? 0 : -1;
  };
  const moves = {
    ArrowLeft: (at) => (at % names.length ? at - 1 : at),
    ArrowRight: (at) => ((at + 1) % names.length ? at + 1 : at),
    ArrowUp: (at) => at - names.length,
    ArrowDown: (at) => at + names.length,
    Home: (at) => at - (at % names.length),
    End: (at) => at - (at % names.length) + names.length - 1,
  };
  buttons.forEach((button, at) => {
    button.addEventListener("click", () => {
      stop(button);
      show(button);
    });
    button.addEventListener("keydown", (event) => {
      const next = buttons[moves[event.key]?.(at)];
      if (!next) return;
      event.preventDefault();
      stop(next);
      next.focus();
    });
  });

  const wrong = buttons.filter((button) => button.dataset.true !== button.dataset.predicted);
  const most = wrong.reduce((a, b) => (count(b) > count(a) ? b : a));
  stop(most);
  show(most);
}
