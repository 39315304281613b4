// Draws the charts in the colours of the page, shows and hides curves, sorts tables.
(() => {
  "use strict";
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const curveStyles = JSON.parse(document.getElementById("curve-styles").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse), (max-width: 600px)");
  const hidden = new Set();

  const variable = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const styleOf = (meta) => ("entry" in meta ? curveStyles[meta.entry] : { color: "--hold", dash: "dot", symbol: "line-ns" });

  function paintTrace(trace) {
    const meta = trace.meta || {};
    const painted = { ...trace };
    if (trace.type === "scatter") {
      const style = styleOf(meta);
      const color = variable(style.color);
      if (trace.mode === "lines") {
        const width = meta.role === "hold" ? 2.4 : 1.6;
        painted.line = { color, dash: style.dash, width };
        painted.visible = !hidden.has(key(meta));
      } else {
        painted.marker = { color, symbol: style.symbol, size: 9, line: { color, width: 1.5 } };
        painted.error_x = { ...trace.error_x, color, thickness: 1.6, width: 4 };
      }
    } else if (trace.type === "heatmap") {
      painted.colorscale = [[0, variable("--heat-low")], [0.5, variable("--heat-mid")], [1, variable("--heat-high")]];
      painted.textfont = { color: variable("--ink"), size: 14 };
    } else if (trace.type === "bar") {
      const color = variable("--c" + (meta.kind || 0));
      painted.marker = { ...trace.marker, color, line: { color: variable("--paper"), width: 1 } };
      if (trace.marker && trace.marker.pattern) {
        painted.marker.pattern = { ...trace.marker.pattern, fillmode: "overlay", bgcolor: color, fgcolor: variable("--paper"), fgopacity: 0.8, size: 6, solidity: 0.3 };
      }
    }
    return painted;
  }

  function paintLayout(layout) {
    const ink = variable("--ink"), quiet = variable("--quiet"), rule = variable("--rule");
    const axis = { gridcolor: rule, linecolor: rule, zerolinecolor: quiet, zerolinewidth: 1, tickfont: { color: quiet, size: 12 } };
    const titled = (a = {}) => ({ ...a, ...axis, title: { ...(a.title || {}), font: { color: quiet, size: 12 } } });
    return {
      ...layout,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink, size: 13 },
      xaxis: titled(layout.xaxis), yaxis: titled(layout.yaxis),
      hoverlabel: { bgcolor: variable("--card"), bordercolor: rule, font: { color: ink, size: 13 }, namelength: -1 },
      legend: { orientation: "h", y: 1, yanchor: "bottom", x: 0, font: { color: quiet, size: 12 } },
      shapes: (layout.shapes || []).map((s) => ({ ...s, layer: "below", line: { color: variable("--hold"), dash: "dot", width: 1.5 } })),
      annotations: (layout.annotations || []).map((a) => ({ ...a, font: { color: quiet, size: 12 } })),
      bargap: 0.38,
      dragmode: touch.matches ? false : "zoom",
    };
  }

  const key = (meta) => ("entry" in meta ? String(meta.entry) : meta.role);
  const options = { displayModeBar: false, responsive: true, scrollZoom: false };

  function draw() {
    return Promise.all(
      Object.entries(charts).map(([id, chart]) =>
        Plotly.react(id, chart.data.map(paintTrace), paintLayout(chart.layout), options)));
  }

  const ARROWS = { solid: "", dot: "2 3", dash: "6 3", longdash: "10 3", dashdot: "6 3 2 3", longdashdot: "10 3 2 3" };
  for (const line of document.querySelectorAll(".keys line")) {
    const style = styleOf(line.dataset.key === "hold" ? {} : { entry: Number(line.dataset.key) });
    line.style.stroke = `var(${style.color})`;
    line.setAttribute("stroke-dasharray", ARROWS[style.dash]);
  }

  function press(button, on) {
    button.setAttribute("aria-pressed", String(on));
    hidden[on ? "delete" : "add"](button.dataset.key);
  }
  const keys = [...document.querySelectorAll(".keys button[data-key]")];
  for (const button of keys) {
    press(button, button.getAttribute("aria-pressed") === "true");
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      for (const same of keys.filter((k) => k.dataset.key === button.dataset.key)) press(same, on);
      draw();
    });
  }
  for (const button of document.querySelectorAll(".keys button[data-show]")) {
    button.addEventListener("click", () => {
      for (const each of keys) press(each, button.dataset.show === "all" || each.dataset.key === "hold");
      draw();
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

  const contents = document.querySelector("nav details");
  contents.open = matchMedia("(min-width: 1080px)").matches;
  dark.addEventListener("change", draw);
  matchMedia("print").addEventListener("change", draw);
  draw().then(() => { document.documentElement.dataset.ready = "yes"; });
})();
