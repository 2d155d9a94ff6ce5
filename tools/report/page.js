"use strict";

// The page: reads the embedded data and fills the sections.

const kStageColours = [kColours.sky, kColours.blue, kColours.yellow, kColours.green, kColours.orange, kColours.vermilion, kColours.purple, kColours.black, "#8c8c8c"];

/// One result file.
class Run {
  constructor(data) {
    Object.assign(this, data);
    this.makespan = this.attributes["/"].makespan_ps;
    this.network = this.kind === "network";  // a study of the network alone
    this.complete = this.network || this.attributes["/"].complete === 1;
    this.settings = readToml(this.configuration);
  }
  /// Of a dataset; undefined if the file has none.
  values(path) { return this.tables[path]?.values; }
  /// Values of a timeline as numbers over seconds.
  line(name, scale = 1) {
    const [, group, dataset] = name.split("/");
    return {values: (this.values(name) ?? []).map((value) => scale * value), window: 1e-12 * (this.attributes[`/${group}`]?.[`${dataset}_window_ps`] ?? 1)};
  }
  /// The texts that name the `count` numbers of a row of a dataset; undefined if the file has none.
  namesOf(path, count) {
    const fits = (name) => this.values(name)?.length === count;
    const own = [`${path}_names`, `${path.replace(/\/[^/]*$/, "")}/names`, "/stages/names"].find(fits) ?? Object.keys(this.tables).find((name) => /names$/.test(name) && fits(name));
    return own && this.values(own).map((name) => name.replaceAll("_", " "));
  }
  /// As line(), per second.
  rate(name, scale = 1) {
    const {window} = this.line(name);
    return this.line(name, scale / window);
  }
}

/// {"table.key": text of the value}
function readToml(text) {
  const settings = {};
  let table = "";
  for (const line of text.split("\n")) {
    const head = line.match(/^\[(.*)\]/), pair = line.match(/^(\w+) = ("[^"]*"|\[[^\]]*\]|[^#]*)/);
    if (head) table = head[1];
    else if (pair) settings[`${table}.${pair[1]}`] = pair[2].trim();
  }
  return settings;
}

function nameRuns(runs) {
  const short = runs.map(({name}) => name.replace(/^.*\//, ""));
  runs.forEach((run, i) => { run.title = short.filter((name) => name === short[i]).length > 1 ? run.name : short[i]; });
}

/// What `make` shows of each run, side by side, under the run's name if there are several.
function sideBySide(runs, make) {
  if (runs.length === 1) return make(runs[0]);
  return element("div", {class: "runs"}, runs.map((run) => element("div", {}, element("h3", {}, run.title), make(run))));
}

function note(text) { return element("p", {class: "note"}, text); }
const kNotThere = "The run did not end: the file does not have this.";

// ---- summary

const kCards = [
  ["output throughput", "output_tokens_per_s", "tokens/s"], ["prompt and output", "prompt_and_output_tokens_per_s", "tokens/s"],
  ["TTFT, p50", "ttft_p50_ms", "ms"], ["TTFT, p99", "ttft_p99_ms", "ms"], ["TPOT, p50", "tpot_p50_ms", "ms"], ["TPOT, p99", "tpot_p99_ms", "ms"],
  ["energy an output token", "energy_per_output_token_mj", "mJ"], ["energy a token", "energy_per_prompt_token_mj", "mJ"], ["mean power", "mean_power_w", "W"],
  ["cores busy, mean", "mean_core_use_percent", "%"], ["links busy, mean", "mean_link_use_percent", "%"],
  ["KV pages, peak", "kv_pages_peak_percent", "%"], ["makespan", "makespan_ms", "ms"],
];

function overview(run) {
  if (run.network) return networkOverview(run);
  const f = run.figures, geometry = run.attributes["/cores"];
  const model = run.settings["model.config"] && run.settings["model.config"] !== '""' ? run.settings["model.config"] : run.settings["model.name"];
  const facts = [`${(model ?? "").replaceAll('"', "")}`, `fidelity ${(run.settings["wafer.noc.fidelity"] ?? "").replaceAll('"', "")}`,
    geometry ? `${geometry.columns / geometry.core_columns_of_die} x ${geometry.rows / geometry.core_rows_of_die} dies of ${geometry.core_columns_of_die} x ${geometry.core_rows_of_die} cores` : "",
    `${grouped(f.requests_done ?? 0)} requests, ${grouped(f.prompt_tokens ?? 0)} prompt and ${grouped(f.output_tokens ?? 0)} output tokens`];
  return element("div", {},
    run.complete ? null : element("p", {class: "loud", role: "alert"}, `NOT COMPLETE: this run was ended before it was done; the file tells up to ${digits(f.reached_ms)} ms of simulated time, of ${grouped(f.requests_done ?? 0)} requests that had ended.`),
    element("p", {}, facts.filter(Boolean).join("; ")),
    f.bottleneck ? element("p", {class: "bottleneck"}, element("strong", {}, "Held back by "), f.bottleneck + ".") : null,
    element("dl", {class: "cards"}, kCards.filter(([, key]) => f[key] !== undefined).map(([name, key, unit]) =>
      element("div", {class: "card"}, element("dt", {}, name), element("dd", {"data-figure": key}, digits(f[key]), element("small", {}, ` ${unit}`))))));
}

const kStudyColumns = [["injection_rate", "offered"], ["accepted_rate", "accepted"], ["mean_latency", "mean latency"], ["confidence", "± 95 %"], ["mean_network_latency", "in the network"], ["p50_latency", "p50"], ["p95_latency", "p95"], ["p99_latency", "p99"], ["greatest_latency", "most"], ["packets", "packets"], ["completion", "last arrival"]];

function networkOverview(run) {
  const text = (key) => (run.settings[key] ?? "").replaceAll('"', ""), of = run.attributes["/cores"], studies = run.values("/noc/cycles").length;
  const columns = kStudyColumns.filter(([name]) => run.values(`/noc/${name}`).some((value) => value !== 0));
  const unit = (name) => run.tables[`/noc/${name}`].unit.replace("1", "").replaceAll("/", " / ");
  const cell = (name, study) => element("td", {class: "number", "data-figure": `study_${study}_${name}`}, digits(run.values(`/noc/${name}`)[study]));
  return element("div", {},
    element("p", {}, `the network alone, fidelity ${text("wafer.noc.fidelity")}; ${of.columns / of.core_columns_of_die} x ${of.rows / of.core_rows_of_die} dies of ${of.core_columns_of_die} x ${of.core_rows_of_die} cores; ${text("traffic.load")} load, ${text("traffic.load") === "trace" ? text("traffic.trace_file") : `pattern ${text("traffic.pattern")}`}`),
    element("div", {class: "scroll"}, element("table", {class: "studies"}, element("thead", {}, element("tr", {}, columns.map(([name, title]) => element("th", {class: "number"}, title, element("br"), element("small", {}, unit(name))))  , element("th", {}, ""))),
      element("tbody", {}, Array.from({length: studies}, (_, s) => element("tr", {}, columns.map(([name]) => cell(name, s)), element("td", {class: "note"}, run.values("/noc/settled")[s] ? "" : "not settled: measured packets were still under way")))))));
}

/// Latency and throughput over the offered load, of open-loop studies with several loads.
function loadSection(runs) {
  const swept = runs.filter((run) => run.values("/noc/injection_rate").filter((rate) => rate > 0).length > 1);
  if (swept.length === 0) return note("One load each: `ouroboros noc --rates 0.05,0.1,...` gives curves over the load.");
  const curve = (run, name) => run.values("/noc/injection_rate").map((rate, s) => [rate, run.values(`/noc/${name}`)[s]]).sort(([a], [b]) => a - b);
  const xTop = largest(swept.flatMap((run) => run.values("/noc/injection_rate"))), xUnit = "flits / cycle / core offered";
  const least = swept.flatMap((run) => run.values("/noc/mean_latency")).reduce((a, b) => Math.min(a, b), Infinity);
  const yTop = Math.min(6 * least, largest(swept.flatMap((run) => run.values("/noc/p99_latency"))));  // saturation is far above
  const colours = [kColours.blue, kColours.vermilion, kColours.green, kColours.black];
  const named = (run, name) => swept.length > 1 ? `${run.title}: ${name}` : name;
  const latencies = swept.flatMap((run, i) => [["mean_latency", "mean"], ["p99_latency", "p99"]].map(([key, name], k) => ({name: named(run, name), colour: colours[(swept.length > 1 ? i : k) % 4], points: curve(run, key)})));
  const accepted = swept.map((run, i) => ({name: named(run, "accepted"), colour: colours[i % 4], points: curve(run, "accepted_rate")}));
  return element("div", {class: "charts"}, curveChart({title: "Latency of a packet", xUnit, yUnit: "cycles", xTop, yTop, series: latencies}),
    curveChart({title: "Throughput", xUnit, yUnit: "flits / cycle / core", xTop, yTop: xTop, series: [...accepted, {name: "offered", colour: "#8b949e", points: [[0, 0], [xTop, xTop]]}]}));
}

/// All figures; with several runs, how far each is from the first.
function figuresTable(runs) {
  const keys = [...new Set(runs.flatMap(({figures}) => Object.keys(figures)))].filter((key) => key !== "bottleneck");
  const show = (value) => value === undefined ? "–" : typeof value === "number" ? (Number.isInteger(value) ? grouped(value) : digits(value)) : value;
  const off = (value, first) => typeof value !== "number" || typeof first !== "number" || value === first || first === 0 ? "" : `${value > first ? "+" : "−"}${digits(Math.abs(100 * (value - first) / first))} %`;
  const rows = keys.map((key) => element("tr", {}, element("th", {scope: "row"}, key), runs.map(({figures}, i) =>
    [element("td", {class: "number"}, show(figures[key])), i > 0 ? element("td", {class: "number raw"}, off(figures[key], runs[0].figures[key])) : null])));
  const head = element("tr", {}, element("th", {}, "figure"), runs.map(({title}, i) => [element("th", {class: "number"}, title), i > 0 ? element("th", {class: "number"}, "off the first") : null]));
  return element("details", {}, element("summary", {}, `All ${keys.length} figures, with their units in the names`), element("div", {class: "scroll"}, element("table", {}, element("thead", {}, head), element("tbody", {}, rows))));
}

// ---- over time

const kDrawnOverTime = new Set(["/timeline/busy_core_ps", "/timeline/tokens_processed", "/timeline/tokens_sampled", "/timeline/dynamic_fj", "/timeline/sequences_running",
  "/kv/pages_used", "/kv/tokens_held", "/kv/evictions", "/timeline/link_flits"]);
const kPalette = [...kStageColours.slice(1), kStageColours[0]];

/// Every timeline that the page has no chart of its own for: lines, areas, or colours if it has many rows.
function otherTimelines(run, xTop) {
  const paths = Object.entries(run.attributes).flatMap(([group, of]) => Object.keys(of).filter((key) => key.endsWith("_window_ps")).map((key) => `${group}/${key.replace(/_window_ps$/, "")}`));
  return paths.filter((path) => run.values(path)?.length > 0 && !kDrawnOverTime.has(path) && largest(run.values(path)) > 0).map((path) => {
    const {unit, shape, meaning} = run.tables[path], line = run.line(path), kinds = shape[1] ?? 1;
    const title = `${path.split("/")[1] === "kv" ? "KV " : ""}${wordsOf(path)}`, yUnit = `${unit === "1" ? "" : `${unit} `}a window of ${digits(1e6 * line.window)} µs`;
    const parts = Array.from({length: kinds}, (_, k) => line.values.filter((_, i) => i % kinds === k)), names = run.namesOf(path, kinds);
    if (kinds > kPalette.length) return {path, heat: {title, unit: yUnit, rowNames: names ?? parts.map((_, k) => k), rows: parts.map((values) => inBins(values, kTimeBins)), window: 1e3 * line.window * Math.max(1, line.values.length / kinds / kTimeBins)}};
    return {path, title, yUnit, area: kinds > 1, series: parts.map((values, k) => ({name: names?.[k] ?? String(k), values, window: 1e3 * line.window, colour: kPalette[k], letter: kinds > 1 ? "" : undefined}))};
  });
}

const kTimeBins = 120;

/// Means of at most `bins` equal parts.
function inBins(values, bins) {
  if (values.length <= bins) return values;
  const per = values.length / bins;
  return Array.from({length: bins}, (_, bin) => {
    const part = values.slice(Math.floor(bin * per), Math.max(Math.floor((bin + 1) * per), Math.floor(bin * per) + 1));
    return sum(part) / part.length;
  });
}

/// How busy the links of each die are over time; undefined if the file does not say.
function linksOfDies(run) {
  const flits = run.values("/timeline/link_flits"), of = run.attributes["/cores"];
  if (!flits?.length) return undefined;
  const dies = run.tables["/timeline/link_flits"].shape[1], across = of.columns / of.core_columns_of_die, down = of.rows / of.core_rows_of_die;
  const window = run.attributes["/timeline"].link_flits_window_ps, windows = flits.length / dies, [columns, rows] = [of.core_columns_of_die, of.core_rows_of_die];
  const links = (x, y) => 4 * columns * rows - (x === 0 ? rows : 0) - (x === across - 1 ? rows : 0) - (y === 0 ? columns : 0) - (y === down - 1 ? columns : 0);
  const ofDie = (die) => {
    const scale = 100 * of.cycle_ps / window / links(die % across, Math.floor(die / across));
    return inBins(Array.from({length: windows}, (_, w) => scale * flits[w * dies + die]), kTimeBins);
  };
  return {title: "Links busy on average, by die", unit: "%", rowNames: Array.from({length: dies}, (_, die) => `die (${die % across}, ${Math.floor(die / across)})`),
    rows: Array.from({length: dies}, (_, die) => ofDie(die)), window: 1e-9 * window * Math.max(1, windows / kTimeBins)};
}

/// A chart of colours over time for each run, on one scale.
function heatOverTime(runs, make) {
  const all = runs.map(make), top = largest(all.flatMap((one) => one?.rows.flat() ?? []));
  return (run) => {
    const one = all[runs.indexOf(run)];
    return one ? heatChart({...one, top, columnName: "at", columnUnit: "ms", columnAt: (column) => (column + .5) * one.window}) : null;
  };
}

function timeSection(runs) {
  const ended = runs.filter(({complete}) => complete);
  if (ended.length === 0) return note(kNotThere);
  // one scale for all runs; milliseconds
  const xTop = 1e-9 * largest(ended.map(({makespan}) => makespan)), xUnit = "ms";
  const inMs = (line) => ({...line, window: 1e3 * line.window});
  const charts = ended.map((run) => {
    const names = run.values("/stages/names"), cores = run.attributes["/cores"].columns * run.attributes["/cores"].rows;
    const busy = run.rate("/timeline/busy_core_ps", 100e-12 / cores);
    const stages = names.map((name, s) => inMs({name: name.replace("_", " "), colour: kStageColours[s], letter: "", window: busy.window, values: busy.values.filter((_, i) => i % names.length === s)}))
      .filter(({values}) => largest(values) > 0);
    const power = inMs(run.rate("/timeline/dynamic_fj", 1e-15)), idle = run.values("/energy/static_j")[0] / (1e-12 * run.makespan);
    return {run, lines: [
      {title: "Cores busy, by stage", yUnit: "% of all cores", area: true, series: stages},
      {title: "Tokens", yUnit: "tokens/s", series: [{...inMs(run.rate("/timeline/tokens_processed")), name: "through the pipeline", colour: kColours.blue}, {...inMs(run.rate("/timeline/tokens_sampled")), name: "output sampled", colour: kColours.vermilion}]},
      {title: "Power", yUnit: "W", area: true, series: [{name: "static", colour: "#b8c0c8", letter: "", values: power.values.map(() => idle), window: power.window}, {...power, name: "dynamic", colour: kColours.vermilion, letter: ""}]},
      {title: "Dynamic power alone", yUnit: "W", series: [{...power, name: "dynamic", colour: kColours.vermilion}]},
      {title: "Sequences that hold KV", yUnit: "sequences", series: [{...inMs(run.line("/timeline/sequences_running")), name: "sequences", colour: kColours.blue}]},
      {title: "KV pages in use", yUnit: "% of all", series: [{...inMs(run.line("/kv/pages_used", 100 / run.attributes["/kv"].pages_total)), name: "pages", colour: kColours.green}]},
      {title: "Tokens with K and V", yUnit: "tokens", series: [{...inMs(run.line("/kv/tokens_held")), name: "tokens", colour: kColours.green}]},
      {title: "Evictions", yUnit: "sequences a window", series: [{...inMs(run.line("/kv/evictions")), name: "evictions", colour: kColours.black}]},
    ], others: otherTimelines(run)};
  });
  // a run that lacks a timeline of another one has an empty place there
  const otherPaths = [...new Set(charts.flatMap(({others}) => others.filter(({heat}) => !heat).map(({path}) => path)))];
  for (const one of charts) one.lines.push(...otherPaths.map((path) => one.others.find((other) => other.path === path) ?? {title: "", series: []}));
  const links = heatOverTime(ended, linksOfDies);
  const heats = [...new Set(charts.flatMap(({others}) => others.filter(({heat}) => heat).map(({path}) => path)))]
    .map((path) => heatOverTime(ended, (run) => charts.find((one) => one.run === run).others.find((other) => other.path === path)?.heat));
  const top = (chart) => chart.area ? largest(chart.series[0]?.values.map((_, i) => sum(chart.series.map(({values}) => values[i] ?? 0))) ?? []) : largest(chart.series.map(({values}) => largest(values)));
  const tops = charts[0].lines.map((_, i) => largest(charts.map(({lines}) => top(lines[i]))));
  return element("div", {}, sideBySide(ended, (run) => element("div", {class: "charts"}, charts.find((one) => one.run === run).lines
    .map((chart, i) => [chart, tops[i]]).filter(([{series}, top]) => top > 0 && series.length > 0)
    .map(([chart, yTop]) => (chart.area ? areaChart : lineChart)({...chart, xUnit, xTop, yTop})), links(run), heats.map((heat) => heat(run)))),
    note("Energy counts where it is spent, busy time wholly where it begins, so a window can show more than there is. Sequences and KV are the most in each window."));
}

// ---- latency, energy, stages

const kLatencies = [["ttft", "Time to first token"], ["tpot", "Time per output token"], ["latency", "Arrival to last token"], ["queued", "Arrival to admission"]];

function latencySection(runs) {
  const any = runs.filter(({latencies_ms}) => latencies_ms.ttft?.length > 0);
  if (any.length === 0) return note("No request had ended.");
  const top = (key) => largest(any.map(({latencies_ms}) => latencies_ms[key].at(-1) ?? 0));
  return element("div", {}, sideBySide(any, (run) => element("div", {class: "charts"}, kLatencies.filter(([key]) => run.latencies_ms[key].length > 0 && top(key) > 0).map(([key, title]) =>
    distributionChart({title: `${title}, % of requests within`, unit: "ms", xTop: top(key), percentiles: run.latencies_ms[key]})))),
    any.every((run) => (run.latencies_ms.queued.at(-1) ?? 0) === 0) ? note("No request waited for admission.") : null);
}

function energySection(runs) {
  const ended = runs.filter(({complete}) => complete);
  if (ended.length === 0) return note(kNotThere);
  const generates = (run) => run.attributes["/"].output_tokens > 0;
  const outputs = (run) => generates(run) ? run.attributes["/"].output_tokens : run.figures.prompt_tokens;
  const all = ended.map((run) => {
    const [stages, phases, components] = ["stage", "phase", "component"].map((kind) => run.values(`/energy/${kind}_names`));
    const mj = run.values("/energy/dynamic_fj").map((fj) => 1e-12 * fj / outputs(run));
    const at = (s, p, c) => mj[(s * phases.length + p) * components.length + c];
    const idle = 1e3 * run.values("/energy/static_j")[0] / outputs(run);
    const names = (list) => list.map((name) => name.replaceAll("_", " "));
    const phaseSeries = names(phases).map((name, p) => ({name, letter: name[0].toUpperCase(), colour: [kColours.sky, kColours.orange][p % 2]}));
    const byPhase = (pick) => phases.map((_, p) => pick(p));
    const total = (p) => sum(stages.flatMap((_, s) => components.map((_, c) => at(s, p, c))));
    return {run, phaseSeries, charts: [
      {title: "Static beside dynamic", bars: [{name: "static", parts: [idle]}, {name: "dynamic", parts: [sum(mj)]}]},
      {title: "Static, by component", bars: names(run.values("/energy/static_component_names")).map((name, c) => ({name, parts: [1e3 * run.values("/energy/static_component_j")[c] / outputs(run)]}))},
      {title: "Dynamic, by component and phase", series: true, bars: names(components).map((name, c) => ({name, parts: byPhase((p) => sum(stages.map((_, s) => at(s, p, c))))}))},
      {title: "Dynamic, by stage and phase", series: true, bars: names(stages).map((name, s) => ({name, parts: byPhase((p) => sum(components.map((_, c) => at(s, p, c))))}))},
      {title: "Dynamic, by phase", bars: names(phases).map((name, p) => ({name, parts: [total(p)]}))},
    ]};
  });
  const top = (i) => largest(all.flatMap(({charts}) => charts[i].bars.map(({parts}) => sum(parts))));
  return element("div", {}, sideBySide(ended, (run) => {
    const {charts, phaseSeries} = all.find((one) => one.run === run);
    return element("div", {class: "charts"}, charts.map((chart, i) => barChart({...chart, unit: generates(run) ? "mJ an output token" : "mJ a token", top: top(i), series: chart.series ? phaseSeries : []})));
  }));
}

function stageSection(runs) {
  const ended = runs.filter(({complete}) => complete);
  if (ended.length === 0) return note(kNotThere);
  const all = ended.map((run) => {
    const names = run.values("/stages/names"), busy = run.values("/stages/busy_core_ps"), blocks = busy.length / names.length;
    const stalled = run.values("/stages/home_stalled_ps");
    const homes = run.values("/stages/home_names").slice(0, -1).map((name) => name.split(" of block ")), stations = [...new Set(homes.map(([matrix]) => matrix))];
    const behindInput = run.values("/stages/home_stalled_input_ps");
    const heldUp = (ps) => (matrix) => Array.from({length: blocks}, (_, b) => homes.reduce((sum, [at, block], i) => at === matrix && Number(block) === b ? sum + 100 * ps(i) / run.makespan : sum, 0));
    return {run, charts: [
      {title: "Cores busy on average, by block and stage", unit: "cores", rowNames: names.map((name) => name.replace("_", " ")), rows: names.map((_, s) => Array.from({length: blocks}, (_, b) => busy[b * names.length + s] / run.makespan))},
      {title: "Home cores held up by output buffers: next token ready, the one ahead in tiles or on its way", unit: "% of the makespan", rowNames: stations, rows: stations.map(heldUp((i) => stalled[i] - behindInput[i]))},
      {title: "Home cores held up by input buffers: next token ready, the one ahead whole at the next home core", unit: "% of the makespan", rowNames: stations, rows: stations.map(heldUp((i) => behindInput[i]))},
    ]};
  });
  const top = (i) => largest(all.flatMap(({charts}) => charts[i].rows.flat()));
  return element("div", {}, sideBySide(ended, (run) => element("div", {class: "charts"}, all.find((one) => one.run === run).charts.map((chart, i) => heatChart({...chart, columnName: "block", top: top(i)})))),
    note("The last block of the first chart is the LM head."), passages(ended), otherTables(ended));
}

/// Where the recorded tokens spent their time, along the stations.
function passages(runs) {
  const any = runs.filter((run) => run.passages.tokens > 0);
  if (any.length === 0) return null;
  const parts = [["way_ns", "passes and way to the station", kColours.sky], ["work_ns", "normalised there", kColours.green], ["wait_ns", "waits for its turn and for room ahead", kColours.vermilion]];
  const top = largest(any.flatMap(({passages}) => passages.way_ns.map((_, i) => sum(parts.map(([key]) => passages[key][i])))));
  const xTop = largest(any.map(({passages}) => passages.way_ns.length));
  return element("div", {}, sideBySide(any, (run) => element("div", {class: "charts wide"}, areaChart({title: `Mean time of ${grouped(run.passages.tokens)} recorded tokens at each station`, xUnit: "station", yUnit: "ns", xTop, yTop: top,
    series: parts.map(([key, name, colour]) => ({name, colour, letter: "", window: 1, values: run.passages[key]}))}))),
    note("Stations are QKV, O, gate and up, down of each block (with experts the router after O, with latent attention three more or two), then the LM head. `ouroboros trace` has each of these tokens."));
}

const kDrawnStages = new Set(["/stages/busy_core_ps", "/stages/home_names", "/stages/home_stalled_ps", "/stages/home_stalled_input_ps"]);

/// Tables by block or station that the page has no chart of its own for.
function otherTables(runs) {
  const blocks = (run) => run.values("/stages/busy_core_ps").length / run.values("/stages/names").length, stations = (run) => run.values("/stages/home_tokens").length;
  const rowsOf = (run, path) => {
    const {shape, values} = run.tables[path], inner = values.length / shape[0];
    return Array.from({length: inner}, (_, k) => values.filter((_, i) => i % inner === k));
  };
  const found = (run) => Object.entries(run.tables).filter(([path, {shape, values, unit}]) => !path.startsWith("/energy/") && !kDrawnStages.has(path) && shape.length <= 2 && shape[0] > 1 && typeof values[0] === "number" && new Set(values).size > 1
    && [blocks(run), blocks(run) - 1, stations(run)].includes(shape[0]) && run.attributes[path.replace(/\/[^/]*$/, "")]?.[`${path.replace(/^.*\//, "")}_window_ps`] === undefined && unit !== undefined);
  const all = runs.map((run) => found(run).map(([path, {unit, shape}]) => {
    const rows = rowsOf(run, path), names = run.namesOf(path, rows.length), scaled = unit === "ps" ? [1e-6, "µs"] : [1, unit === "1" ? "" : unit];
    return {title: `${path.split("/")[1]}: ${wordsOf(path)}`, unit: scaled[1], rowNames: names ?? rows.map((_, k) => rows.length > 1 ? k : ""), rows: rows.map((row) => row.map((value) => scaled[0] * value)), columnName: shape[0] === stations(run) ? "station" : "block"};
  }));
  if (all.flat().length === 0) return null;
  const top = (title) => largest(all.flat().filter((one) => one.title === title).flatMap(({rows}) => rows.flat()));
  return sideBySide(runs, (run) => element("div", {class: "charts"}, all[runs.indexOf(run)].map((one) => heatChart({...one, top: top(one.title)}))));
}

function configurationSection(runs) {
  const keys = [...new Set(runs.flatMap(({settings}) => Object.keys(settings)))];
  const differing = keys.filter((key) => new Set(runs.map(({settings}) => settings[key])).size > 1);
  const head = element("tr", {}, element("th", {}, "setting"), runs.map(({title}) => element("th", {}, title)));
  const table = element("div", {class: "scroll"}, element("table", {}, element("thead", {}, head), element("tbody", {}, differing.map((key) => element("tr", {}, element("th", {scope: "row"}, key), runs.map(({settings}) => element("td", {}, settings[key] ?? "–")))))));
  const facts = (run) => ["/", "/engine"].flatMap((group) => Object.entries(run.attributes[group] ?? {}).map(([key, value]) => element("tr", {}, element("th", {scope: "row"}, `${group === "/" ? "" : group}/${key}`), element("td", {class: "number"}, typeof value === "number" ? grouped(value) : value))));
  return element("div", {}, runs.length === 1 ? null : differing.length > 0 ? [element("h4", {}, "What differs"), table] : note("The configurations are equal."),
    sideBySide(runs, (run) => [element("div", {class: "scroll"}, element("table", {}, element("tbody", {}, facts(run)))),
      datasetsTable(run),
      element("details", {}, element("summary", {}, "Resolved configuration, with where each value is from"), element("pre", {tabindex: 0}, run.configuration))]));
}

/// All that is in the file, drawn above or not.
function datasetsTable(run) {
  const few = 8, shown = ({path}) => (run.values(path)?.length ?? Infinity) <= few ? run.values(path).map((value) => typeof value === "number" ? digits(value) : value).join(", ") : "";
  return element("details", {class: "datasets"}, element("summary", {}, `All ${run.datasets.length} datasets of the file`), element("div", {class: "scroll"}, element("table", {}, element("thead", {}, element("tr", {}, ["dataset", "shape", "unit", "meaning", "values, if few"].map((name) => element("th", {}, name)))),
    element("tbody", {}, run.datasets.map((one) => element("tr", {}, element("th", {scope: "row"}, one.path), element("td", {}, one.shape.join(" x ") || "single"), element("td", {}, one.unit), element("td", {}, one.meaning), element("td", {}, shown(one))))))));
}

// ---- the page

const runs = JSON.parse(document.getElementById("data").textContent).map((data) => new Run(data));
nameRuns(runs);
document.title = `${runs.map(({title}) => title).join(", ")} · Ouroboros report`;
document.querySelector("h1").textContent = `Ouroboros: ${runs.map(({title}) => title).join(", ")}`;
const models = runs.filter(({network}) => !network), networks = runs.filter(({network}) => network);
const kSections = [
  ["Summary", runs, (all) => element("div", {}, sideBySide(all, overview), figuresTable(all))],
  ["Load", networks, loadSection],
  ["Wafer", runs, waferSection],
  ["Over time", models, timeSection],
  ["Latency", models, latencySection],
  ["Energy", models, energySection],
  ["Stages", models, stageSection],
  ["Configuration", runs, configurationSection],
];
for (const [title, of, make] of kSections) {
  if (of.length === 0) continue;
  const id = title.toLowerCase().replace(" ", "-");
  document.querySelector("nav").append(element("a", {href: `#${id}`}, title));
  document.querySelector("main").append(element("section", {id}, element("h2", {}, title), make(of)));
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
