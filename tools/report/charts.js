"use strict";

// Charts as SVG: each says its title, its axes with units, and its values where the pointer is.

const kChart = {width: 400, height: 180, left: 52, right: 12, top: 8, bottom: 36};
const kDashes = ["", "7 3", "2 3", "9 3 2 3"];

function chartFrame({title, xUnit, yUnit, xTop, yTop, height = kChart.height}) {
  const {width, left, right, top, bottom} = kChart;
  const x = (value) => left + (width - left - right) * (xTop > 0 ? value / xTop : 0);
  const y = (value) => height - bottom - (height - top - bottom) * (yTop > 0 ? value / yTop : 0);
  const svg = element("svg:svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title});
  for (const tick of ticks(yTop, 4)) {
    svg.append(element("svg:line", {class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick)}),
               element("svg:text", {x: left - 6, y: y(tick) + 4, "text-anchor": "end"}, shortNumber(tick)));
  }
  for (const tick of ticks(xTop, 5)) {
    svg.append(element("svg:text", {x: x(tick), y: height - bottom + 16, "text-anchor": "middle"}, shortNumber(tick)));
  }
  svg.append(element("svg:line", {class: "axis", x1: left, x2: width - right, y1: y(0), y2: y(0)}),
             element("svg:text", {x: width - right, y: height - 3, "text-anchor": "end"}, xUnit));
  return {svg, x, y, caption: element("figcaption"), heading: element("h4", {}, yUnit ? `${title}, ${yUnit}` : title)};
}

function shortNumber(value) {
  if (Math.abs(value) < 1e4) return String(Number(value.toPrecision(3)));
  return withUnit(value, "").replace(" ", "");
}

/// The caption says the values at the pointer, and else `rest`.
function readOut({svg, caption}, rest, say) {
  caption.textContent = rest;
  const line = element("svg:line", {class: "axis", y1: kChart.top, y2: kChart.height - kChart.bottom, visibility: "hidden"});
  svg.append(line);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = (event.clientX - box.left) * kChart.width / box.width;
    const share = (at - kChart.left) / (kChart.width - kChart.left - kChart.right);
    if (share < 0 || share > 1) return;
    for (const end of ["x1", "x2"]) line.setAttribute(end, at);
    line.setAttribute("visibility", "visible");
    caption.textContent = say(share);
  });
  svg.addEventListener("pointerleave", () => { line.setAttribute("visibility", "hidden"); caption.textContent = rest; });
}

function legend(series) {
  if (series.length < 2) return null;
  return element("div", {class: "legend"}, series.map(({name, colour, letter, dash}) => {
    if (letter !== undefined) return element("span", {}, element("b", {style: `background:${colour}`}, letter), name);
    const line = element("svg:svg", {viewBox: "0 0 26 8", style: "display:inline-block;width:26px;margin-right:.35em;vertical-align:middle"},
                         element("svg:line", {x1: 0, x2: 26, y1: 4, y2: 4, stroke: colour, "stroke-width": 2.5, "stroke-dasharray": dash ?? ""}));
    return element("span", {}, line, name);
  }));
}

/// Lines over time. Each of `series` has name, values, window (of time), and a colour.
/// @param xTop, yTop  ends of the axes, the same for all runs
function lineChart({title, xUnit, yUnit, xTop, yTop, series}) {
  const frame = chartFrame({title, xUnit, yUnit, xTop, yTop});
  series.forEach((one, i) => {
    one.dash = kDashes[i % kDashes.length];
    const points = one.values.map((value, at) => `${frame.x(Math.min(at * one.window, xTop)).toFixed(1)} ${frame.y(value).toFixed(1)}H${frame.x(Math.min((at + 1) * one.window, xTop)).toFixed(1)}`);
    if (points.length > 0) frame.svg.append(element("svg:path", {d: "M" + points.join("L"), fill: "none", stroke: one.colour, "stroke-width": 1.6, "stroke-dasharray": one.dash}));
  });
  const valueAt = (one, share) => one.values[Math.floor(share * xTop / one.window)] ?? 0;
  readOut(frame, `largest: ${series.map((one) => `${series.length > 1 ? one.name + " " : ""}${digits(largest(one.values))}`).join(", ")} ${yUnit}`,
          (share) => `at ${digits(share * xTop)} ${xUnit}: ${series.map((one) => `${series.length > 1 ? one.name + " " : ""}${digits(valueAt(one, share))}`).join(", ")} ${yUnit}`);
  return element("figure", {}, frame.heading, frame.svg, legend(series), frame.caption);
}

/// Areas on top of each other over time; `series` from the bottom up, as the legend lists them.
function areaChart({title, xUnit, yUnit, xTop, yTop, series}) {
  const frame = chartFrame({title, xUnit, yUnit, xTop, yTop});
  const bins = Math.min(series[0].values.length, 400), per = series[0].values.length / bins;
  const mean = (values, bin) => {
    const part = values.slice(Math.floor(bin * per), Math.max(Math.floor((bin + 1) * per), Math.floor(bin * per) + 1));
    return sum(part) / part.length;
  };
  const end = series[0].values.length * series[0].window;
  let below = new Array(bins).fill(0);
  for (const one of series) {
    const above = below.map((value, bin) => value + mean(one.values, bin));
    const at = (bin) => frame.x(Math.min(bin / bins * end, xTop)).toFixed(1);
    const up = above.map((value, bin) => `${at(bin)} ${frame.y(value).toFixed(1)}H${at(bin + 1)}`);
    const down = below.map((value, bin) => `${at(bin + 1)} ${frame.y(value).toFixed(1)}H${at(bin)}`).reverse();
    if (bins > 0) frame.svg.append(element("svg:path", {d: `M${up.join("L")}L${down.join("L")}Z`, fill: one.colour, stroke: "#fff", "stroke-width": .3}, element("svg:title", {}, one.name)));
    below = above;
  }
  const total = (share) => series.map((one) => one.values[Math.floor(share * xTop / one.window)] ?? 0);
  readOut(frame, "", (share) => `at ${digits(share * xTop)} ${xUnit}: ${series.map((one, i) => `${one.name} ${digits(total(share)[i])}`).join(", ")} ${yUnit}`);
  const names = legend(series);
  names?.prepend("from the bottom:");
  return element("figure", {}, frame.heading, frame.svg, names, frame.caption);
}

/// Which share of all values is at most x, from percentiles at equal steps.
function distributionChart({title, unit, xTop, percentiles}) {
  const frame = chartFrame({title, xUnit: unit, yUnit: "", xTop, yTop: 100});
  const steps = percentiles.length - 1;
  const points = percentiles.map((value, i) => `${frame.x(value).toFixed(1)} ${frame.y(100 * i / steps).toFixed(1)}`);
  frame.svg.append(element("svg:path", {d: "M" + points.join("L"), fill: "none", stroke: kColours.blue, "stroke-width": 2}));
  const at = (share) => percentiles[Math.round(share * steps)];
  for (const share of [0.5, 0.9, 0.99]) {
    frame.svg.append(element("svg:circle", {cx: frame.x(at(share)), cy: frame.y(100 * share), r: 3.5, fill: "#fff", stroke: kColours.vermilion, "stroke-width": 2}));
  }
  readOut(frame, `○ p50 ${digits(at(0.5))}, p90 ${digits(at(0.9))}, p99 ${digits(at(0.99))}; most ${digits(percentiles.at(-1))} ${unit}`, (share) => {
    const below = percentiles.filter((value) => value <= share * xTop).length;
    return `${digits(100 * Math.max(below - 1, 0) / steps)} % within ${digits(share * xTop)} ${unit}`;
  });
  return element("figure", {}, frame.heading, frame.svg, frame.caption);
}

/// Bars with their value at the end; `parts` of a bar beside each other in colours with a letter.
function barChart({title, unit, top, bars, series = []}) {
  const {width} = kChart, left = 104, right = 62, step = 22, height = bars.length * step + 6;
  const svg = element("svg:svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title});
  bars.forEach(({name, parts}, row) => {
    const y = row * step + 4;
    svg.append(element("svg:text", {class: "label", x: left - 8, y: y + 13, "text-anchor": "end"}, name));
    let x = left;
    parts.forEach((value, i) => {
      const long = top > 0 ? (width - left - right) * value / top : 0;
      const colour = series[i]?.colour ?? kColours.blue;
      svg.append(element("svg:rect", {x, y, width: long, height: step - 6, fill: colour}, element("svg:title", {}, `${series[i]?.name ?? name}: ${digits(value)} ${unit}`)));
      if (long > 16 && series[i]) svg.append(element("svg:text", {x: x + long / 2, y: y + 12, "text-anchor": "middle", style: "fill:#000"}, series[i].letter));
      x += long;
    });
    svg.append(element("svg:text", {class: "label", x: x + 6, y: y + 13}, digits(sum(parts))));
  });
  return element("figure", {}, element("h4", {}, `${title}, ${unit}`), svg, series.length ? legend(series) : null);
}

/// Points joined by lines; what is above `yTop` is drawn at the top, hollow. `series` as for lineChart, with points [x, y].
function curveChart({title, xUnit, yUnit, xTop, yTop, series}) {
  const frame = chartFrame({title, xUnit, yUnit, xTop, yTop});
  series.forEach((one, i) => {
    one.dash = kDashes[i % kDashes.length];
    const at = one.points.map(([x, y]) => [frame.x(x), frame.y(Math.min(y, yTop)), y > yTop]);
    frame.svg.append(element("svg:path", {d: "M" + at.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L"), fill: "none", stroke: one.colour, "stroke-width": 1.6, "stroke-dasharray": one.dash}),
      ...at.map(([x, y, beyond], p) => element("svg:circle", {cx: x, cy: y, r: 3.5, fill: beyond ? "#fff" : one.colour, stroke: one.colour, "stroke-width": 2},
        element("svg:title", {}, `${one.name}: ${digits(one.points[p][1])} ${yUnit} at ${digits(one.points[p][0])} ${xUnit}`))));
  });
  const beyond = series.flatMap(({points}) => points).filter(([, y]) => y > yTop).length;
  frame.caption.textContent = beyond > 0 ? `${beyond} hollow: above the top` : "";
  return element("figure", {}, frame.heading, frame.svg, legend(series), frame.caption);
}

/// A table of numbers as colours: `rows` of values. Hovering says a value.
/// @param columnAt  of the middle of a column, if it has another number than its own, and `columnUnit`
function heatChart({title, unit, rowNames, rows, columnName, columnUnit = "", columnAt = (column) => column, top}) {
  const columns = largest(rows.map((row) => row.length));
  const step = rows.length > 12 ? Math.max(4, Math.round(204 / rows.length)) : 17, labelled = Math.ceil(13 / step);
  const {width} = kChart, left = 84, cell = (width - left - 4) / columns, height = rows.length * step + 22;
  const svg = element("svg:svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title});
  const caption = element("figcaption");
  let most = {value: -1};
  rows.forEach((row, r) => {
    if (r % labelled === 0) svg.append(element("svg:text", {class: "label", x: left - 8, y: r * step + (step > 12 ? 13 : step / 2 + 5), "text-anchor": "end"}, rowNames[r]));
    row.forEach((value, c) => {
      if (value > most.value) most = {value, r, c};
      svg.append(element("svg:rect", {x: left + c * cell, y: r * step, width: cell + .3, height: step - (step > 8 ? 1 : 0), fill: cividis(top > 0 ? value / top : 0), "data-row": r, "data-column": c}));
    });
  });
  const last = columnAt(columns - 1);
  for (const tick of ticks(last, 5)) {
    const whole = columnUnit !== "" || Number.isInteger(tick);
    if (whole) svg.append(element("svg:text", {x: left + ((last > 0 ? tick / last * (columns - 1) : 0) + .5) * cell, y: height - 6, "text-anchor": "middle"}, shortNumber(tick)));
  }
  svg.append(element("svg:text", {x: left - 8, y: height - 6, "text-anchor": "end"}, `${columnName}${columnUnit ? `, ${columnUnit}` : ""}`));
  const say = (r, c, value) => `${rowNames[r] === "" ? "" : `${rowNames[r]}, `}${columnName} ${digits(columnAt(c))}${columnUnit ? ` ${columnUnit}` : ""}: ${digits(value)} ${unit}`;
  const rest = most.value > 0 ? `most: ${say(most.r, most.c, most.value)}` : "none";
  caption.textContent = rest;
  svg.addEventListener("pointerover", ({target}) => {
    const {row, column} = target.dataset;
    caption.textContent = row === undefined ? rest : say(row, column, rows[row][column]);
  });
  svg.addEventListener("pointerleave", () => { caption.textContent = rest; });
  return element("figure", {}, element("h4", {}, `${title}, ${unit}`), svg, ramp(0, top, unit), caption);
}

function ramp(low, high, unit) {
  return element("div", {class: "legend"}, `${digits(low)} `, element("span", {class: "ramp", style: `background:linear-gradient(to right, ${kCividis.join(",")})`}), `${digits(high)} ${unit}`);
}
