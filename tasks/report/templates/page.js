"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  const font = getComputedStyle(document.body).fontFamily;

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  // "$accent" becomes the colour that the page has under that name now.
  const filled = (value) => {
    if (typeof value === "string") return /^\$(ink|muted|line|panel|accent|good|bad|quiet|tint)$/.test(value) ? colour(value.slice(1)) : value;
    if (Array.isArray(value)) return value.map(filled);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, filled(part)]));
    }
    return value;
  };

  const axis = (given) => ({
    gridcolor: colour("line"), linecolor: colour("line"), zeroline: false, automargin: true,
    tickfont: { size: 11.5, color: colour("muted") }, ...given,
    title: given?.title ? { ...given.title, font: { size: 12, color: colour("muted") }, standoff: 10 } : undefined,
  });

  const layout = (given) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: font, size: 12, color: colour("ink") },
    margin: { l: 8, r: 8, t: 8, b: 8 }, hovermode: "closest", dragmode: false,
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: colour("muted") }, itemclick: false, itemdoubleclick: false },
    hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("line"), align: "left", font: { family: font, size: 12.5, color: colour("ink") } },
    ...given, xaxis: axis(given.xaxis), yaxis: axis(given.yaxis),
  });

  const config = { displayModeBar: false, responsive: true, displaylogo: false, scrollZoom: false };
  const draw = () => {
    for (const [name, figure] of Object.entries(figures)) {
      Plotly.react(name, filled(figure.data), layout(filled(figure.layout)), config);
    }
  };
  draw();
  scheme.addEventListener("change", draw);

  const more = document.getElementById("more");
  more?.addEventListener("click", () => {
    for (const row of document.querySelectorAll("#board tr[hidden]")) row.hidden = false;
    more.remove();
  });

  const copy = document.getElementById("copy");
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById("command").textContent);
      copy.textContent = "Copied";
    });
  }
})();
