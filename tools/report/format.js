"use strict";

// Numbers with their units, for people.

const kPrefixes = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"], [1e-15, "f"]];

/// Such as 4.365: as many digits as anyone reads.
function digits(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e9 || size < 1e-3) return value.toExponential(3).replace("e+", "e");
  return Number(value.toPrecision(4)).toLocaleString("en-US", {maximumFractionDigits: 20});
}

/// With an SI prefix, such as 43.65 mJ.
function withUnit(value, unit) {
  if (value === 0) return `0 ${unit}`;
  const size = Math.abs(value) * (1 + 1e-9);
  const [scale, prefix] = kPrefixes.find(([scale]) => size >= scale) ?? kPrefixes.at(-1);
  return `${Number((value / scale).toPrecision(4))} ${prefix}${unit}`;
}

/// Such as "crossbars busy" of /cores/crossbars_busy_ps: what a dataset is called, without its unit.
function wordsOf(path) { return path.replace(/^.*\//, "").replace(/_(ps|fj|j|s|mb)$/, "").replaceAll("_", " "); }

function percent(share) { return `${digits(100 * share)} %`; }
function grouped(integer) { return integer.toLocaleString("en-US"); }
function sum(values) { return values.reduce((a, b) => a + b, 0); }
function largest(values) { return values.reduce((a, b) => Math.max(a, b), 0); }

/// Steps of 1, 2 or 5 from 0 to `top`, about `count` of them.
function ticks(top, count) {
  if (!(top > 0)) return [0];
  const raw = top / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999);
  return Array.from({length: Math.floor(top / step * (1 + 1e-9)) + 1}, (_, i) => i * step);
}

/// An element with attributes and children; `svg:` names are of SVG.
function element(name, attributes = {}, ...children) {
  const [, space, tag] = name.match(/^(svg:)?(.*)$/);
  const made = space ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

// Colours that people with any colour vision tell apart; text or pattern always says the same.
const kColours = {
  blue: "#0072b2", vermilion: "#d55e00", orange: "#e69f00", sky: "#56b4e9", green: "#009e73", purple: "#cc79a7", yellow: "#f0e442", black: "#333",
};

// cividis: J. R. Nunez, C. R. Anderton, R. S. Renslow, PLOS ONE 13(7), 2018; sampled at tenths
const kCividis = ["#00224e", "#083370", "#35456c", "#4f576c", "#666970", "#7d7c78", "#948e77", "#aea371", "#c8b866", "#e5cf52", "#fee838"];

/// @param share  from 0 to 1
function cividis(share) {
  const at = Math.min(Math.max(share, 0), 1) * (kCividis.length - 1);
  const low = Math.min(Math.floor(at), kCividis.length - 2);
  const channel = (colour, i) => parseInt(colour.slice(1 + 2 * i, 3 + 2 * i), 16);
  const mix = [0, 1, 2].map((i) => Math.round(channel(kCividis[low], i) + (at - low) * (channel(kCividis[low + 1], i) - channel(kCividis[low], i))));
  return `rgb(${mix.join(",")})`;
}

/// Text on that colour that can be read.
function inkOn(share) { return share > 0.55 ? "#000" : "#fff"; }
