// What is brushed in the parallel coordinates is what the table lists and what the other charts show strongly.
{
  const chart = document.getElementById("parallel");
  const clear = document.getElementById("clear");
  const others = [...document.querySelectorAll(".chart > .js-plotly-plot")].filter(
    (other) => other !== chart && other.data.some((trace) => trace.customdata),
  );

  const pairs = (ranges) => (Array.isArray(ranges[0]) ? ranges : [ranges]);
  const inside = ({ values, constraintrange }, i) =>
    pairs(constraintrange).some(([low, high]) => low <= values[i] && values[i] <= high);
  const brushed = () => {
    const { dimensions, customdata } = chart.data[0];
    const brushes = dimensions.filter((dimension) => dimension.constraintrange);
    return brushes.length ? customdata.filter((_, i) => brushes.every((brush) => inside(brush, i))) : null;
  };
  const selected = (trace, chosen) => trace.customdata?.flatMap((trial, i) => (chosen.has(trial) ? [i] : [])) ?? null;

  const follow = () => {
    const trials = brushed();
    const chosen = new Set(trials);
    clear.disabled = !trials;
    document.getElementById("runs").dispatchEvent(new CustomEvent("choose", { detail: trials }));
    for (const other of others) {
      Plotly.restyle(other, { selectedpoints: trials ? other.data.map((trace) => selected(trace, chosen)) : null });
    }
  };
  chart.on("plotly_restyle", follow);
  document.addEventListener("themechange", follow); // after charts.js, which has drawn all points anew
  clear.addEventListener("click", () => {
    const brushes = chart.data[0].dimensions.map((_, i) => [`dimensions[${i}].constraintrange`, null]);
    Plotly.restyle(chart, Object.fromEntries(brushes));
  });
}
