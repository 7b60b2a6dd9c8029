// Draws every chart of the page, again in the other colors when the theme changes. Colors in a figure are CSS variables,
// "var(--training)"; plotly wants them by value. A script that has put new figures in the page calls drawCharts().
const drawCharts = (() => {
  const probe = document.body.appendChild(document.createElement("span"));
  probe.hidden = true;
  const color = (variable) => {
    probe.style.color = variable;
    return getComputedStyle(probe).color;
  };
  const colored = (value) => {
    if (typeof value === "string") return value.startsWith("var(--") ? color(value) : value;
    if (Array.isArray(value)) return value.map(colored);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, colored(inner)]));
  };
  const config = { responsive: true, displaylogo: false, displayModeBar: false };
  return () => {
    for (const chart of document.querySelectorAll(".chart > div[id]")) {
      const { data, layout } = colored(JSON.parse(document.getElementById(`${chart.id}-figure`).textContent));
      Plotly.react(chart, data, layout, config);
    }
  };
})();
drawCharts();
document.addEventListener("themechange", drawCharts);
