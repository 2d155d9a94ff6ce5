"use strict";

// The wafer as a map that zooms from wafer to die to core.

const kRoles = {
  spare: ["#e8e8e8", "·"], qkv: [kColours.blue, "Q"], kv: ["#f6efa6", "K"], output: [kColours.sky, "O"],
  gate_up: [kColours.vermilion, "G"], down: [kColours.orange, "D"], lm_head: [kColours.purple, "L"], router: [kColours.green, "R"], query: [kColours.blue, "U"], head_key: [kColours.blue, "A"], head_value: [kColours.sky, "B"],
  cross_query: [kColours.blue, "X"], cross_kv: [kColours.green, "Y"], cross_output: [kColours.sky, "Z"],
};
const kLevels = ["wafer", "die", "core"];
const kArrows = {east: [1, 0], west: [-1, 0], south: [0, 1], north: [0, -1]};

/// The cores of a run with what the file says of each; of a study of the network alone, those under its load `study`.
class Cores {
  constructor(run, study = 0) {
    this.run = run;
    this.title = run.title;
    const of = run.attributes["/cores"];
    this.columns = of.columns;
    this.rows = of.rows;
    this.count = of.columns * of.rows;
    this.wafers = of.wafers ?? 1;  // one below the other
    this.dieColumns = of.core_columns_of_die;
    this.dieRows = of.core_rows_of_die;
    this.alive = run.values("/cores/alive");
    this.roleNames = run.values("/cores/role_names") ?? [];
    this.role = run.values("/cores/role");
    this.block = run.values("/cores/block");
    this.ports = run.values("/links/port_names") ?? run.values("/noc/port_names") ?? [];
    if (run.network) this.takeStudy(study);
    else this.links = {path: "/links/flits", at: "", values: run.values("/links/flits"), share: of.cycle_ps / run.makespan};
    this.waited = run.values("/links/waited_ps");
  }
  takeStudy(study) {
    const size = this.count * this.ports.length, rate = this.run.values("/noc/injection_rate");
    if (rate.length > 1) this.title += `, ${digits(rate[study])} flits a cycle and core`;
    this.links = {path: "/noc/link_flits", at: `${study},`, values: this.run.values("/noc/link_flits").slice(study * size, (study + 1) * size),
                  share: 1 / this.run.values("/noc/cycles")[study]};
  }
  at(core) { return [core % this.columns, Math.floor(core / this.columns)]; }
  dieOf(core) {
    const [x, y] = this.at(core);
    return [Math.floor(x / this.dieColumns), Math.floor(y / this.dieRows)];
  }
  coresOfDie([dieX, dieY]) {
    return Array.from({length: this.dieColumns * this.dieRows}, (_, i) =>
      (dieY * this.dieRows + Math.floor(i / this.dieColumns)) * this.columns + dieX * this.dieColumns + i % this.dieColumns);
  }
  all() { return Array.from({length: this.count}, (_, core) => core); }
  roleName(core) { return this.role ? this.roleNames[this.role[core]] : "core"; }
  /// Share of the time in which the link carried a flit.
  linkUse(core, port) { return this.links.values[core * this.ports.length + port] * this.links.share; }
  /// Numbers of one for each core that the page does not know: a new dataset is shown as it is.
  others() {
    return Object.entries(this.run.tables).filter(([path, {shape}]) => path.startsWith("/cores/") && shape.length === 1 && shape[0] === this.count && !kKnownOfCores.has(path));
  }
  energyNames() { return this.run.values("/cores/energy_fj") ? this.run.values("/energy/component_names") : []; }
  /// In µJ.
  energy(core, component) { return 1e-9 * this.run.values("/cores/energy_fj")[core * this.energyNames().length + component]; }
}

const kKnownOfCores = new Set(["role", "alive", "block", "crossbars_busy_ps", "sfu_busy_ps", "macs", "kv_blocks_peak"].map((name) => `/cores/${name}`));

/// What a map can show, of those that the file has. `of` gives the number of a core that is not `none`; those with
/// `print` are printed.
function quantities(cores) {
  const run = cores.run, found = [];
  if (cores.role) {
    found.push({name: "role of the core", kind: "role", print: true});
    found.push({name: "block", unit: "", of: (core) => cores.block[core], none: (core) => cores.block[core] < 0});
  }
  const share = (path, name) => {
    const values = run.values(path);
    if (values) found.push({name, unit: "% of the makespan", of: (core) => 100 * values[core] / run.makespan, print: true});
  };
  share("/cores/crossbars_busy_ps", "crossbars busy");
  share("/cores/sfu_busy_ps", "special function unit busy");
  const macs = run.values("/cores/macs");
  if (macs) found.push({name: "multiply-accumulates", unit: "MAC", of: (core) => macs[core]});
  const components = cores.energyNames();
  if (components.length > 0) {
    found.push({name: "dynamic energy", unit: "µJ", of: (core) => sum(components.map((_, c) => cores.energy(core, c))), print: true});
    components.forEach((name, c) => found.push({name: `dynamic energy: ${name.replaceAll("_", " ")}`, unit: "µJ", of: (core) => cores.energy(core, c)}));
  }
  if (cores.links.values) {
    const unit = run.network ? "% of the time" : "% of the makespan";
    const inside = ["east", "west", "north", "south"].map((port) => cores.ports.indexOf(port));
    found.push({name: "link load: busiest link to a neighbour", unit, of: (core) => 100 * Math.max(...inside.map((port) => cores.linkUse(core, port))), print: true});
    cores.ports.forEach((name, port) => found.push({name: `link load: ${name.replace("_", " ")}`, unit, of: (core) => 100 * cores.linkUse(core, port)}));
  }
  if (cores.waited) found.push({name: "packets waiting for links, all ports", unit: "% of the makespan", of: (core) => 100 * sum(cores.ports.map((_, port) => cores.waited[core * cores.ports.length + port])) / run.makespan});
  const kv = run.values("/cores/kv_blocks_peak");
  if (kv) found.push({name: "KV blocks in use, peak", unit: "blocks", of: (core) => kv[core], none: (core) => cores.roleName(core) !== "kv", print: true});
  for (const [path, {unit, values}] of cores.others()) found.push({name: wordsOf(path), unit: unit === "1" ? "" : unit, of: (core) => values[core]});
  found.push({name: "faults", kind: "faults", print: sum(cores.alive) < cores.count});
  for (const one of found.filter((one) => one.of)) one.top = largest(cores.all().map(one.of));
  return found;
}

class WaferMap {
  /// @param view  shared by the maps of all runs: {level, core, quantity}, and changed() to be called after a change
  constructor(cores, view) {
    this.cores = cores;
    this.view = view;
    this.canvas = element("canvas", {tabindex: 0, role: "application", "aria-label": `Map of the wafer of ${cores.title}. Arrow keys move, Enter zooms in, Escape zooms out.`,
      onkeydown: (event) => this.press(event), onclick: (event) => this.click(event), onpointermove: (event) => this.hover(event), onpointerleave: () => this.say(this.place())});
    this.placeLine = element("div", {class: "place", "aria-live": "polite"});
    this.legend = element("div");
    this.table = element("tbody");
    this.element = element("div", {class: "wafer"},
      element("div", {}, this.placeLine, this.canvas, this.legend),
      element("div", {class: "scroll"}, element("table", {class: "inspector"}, element("thead", {}, element("tr", {}, element("th", {}, "quantity"), element("th", {class: "number"}, "value"), element("th", {class: "raw"}, "in the file"))), this.table)));
  }

  get quantity() { return this.quantities[this.view.quantity]; }

  // ---- where things are: a map shows a box of cores, each `size` wide

  layout() {
    const {cores, view} = this, [dieX, dieY] = cores.dieOf(view.core);
    const box = view.level === "wafer" ? {x: 0, y: 0, columns: cores.columns, rows: cores.rows}
      : {x: dieX * cores.dieColumns, y: dieY * cores.dieRows, columns: cores.dieColumns, rows: cores.dieRows};
    const width = this.canvas.parentElement.clientWidth, height = Math.min(width * box.rows / box.columns, 0.72 * window.innerHeight);
    const size = Math.min(width / box.columns, height / box.rows);
    return {...box, size, left: (width - size * box.columns) / 2, width, height: size * box.rows};
  }
  coreUnder(event) {
    if (this.view.level === "core") return -1;
    const {x, y, columns, rows, size, left} = this.layout(), box = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - left) / size), row = Math.floor((event.clientY - box.top) / size);
    if (column < 0 || column >= columns || row < 0 || row >= rows) return -1;
    return (y + row) * this.cores.columns + x + column;
  }

  // ---- what the user does

  zoom(by) {
    const level = kLevels[kLevels.indexOf(this.view.level) + by];
    if (!level) return false;
    this.view.level = level;
    this.view.changed();
    return true;
  }
  press(event) {
    const step = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1]}[event.key];
    let done = true;
    if (step) this.move(step);
    else if (["Enter", " ", "+"].includes(event.key)) this.zoom(1);
    else if (["Escape", "Backspace", "-"].includes(event.key)) this.zoom(-1);
    else done = false;
    if (done) event.preventDefault();
  }
  /// By a die on the wafer, else by a core, over the borders of dies too.
  move([right, down]) {
    const {cores, view} = this, [x, y] = cores.at(view.core), whole = view.level === "wafer";
    const clamp = (value, end) => Math.min(Math.max(value, 0), end - 1);
    const column = clamp(x + right * (whole ? cores.dieColumns : 1), cores.columns), row = clamp(y + down * (whole ? cores.dieRows : 1), cores.rows);
    view.core = row * cores.columns + column;
    view.changed();
  }
  click(event) {
    const core = this.coreUnder(event);
    if (core < 0) return;
    this.view.core = core;
    this.zoom(1);
  }
  hover(event) {
    const core = this.coreUnder(event);
    if (core < 0) return this.say(this.place());
    this.say(this.view.level === "wafer" ? `${this.nameOfDie(core)}, ${this.nameOfCore(core)}: ${this.value(core)}` : `${this.nameOfCore(core)}: ${this.value(core)}`);
  }

  // ---- words

  say(text) { this.placeLine.textContent = text; }
  nameOfDie(core) { return `die (${this.cores.dieOf(core).join(", ")})`; }
  nameOfCore(core) { return `core ${core} at (${this.cores.at(core).join(", ")})`; }
  place() {
    const {level, core} = this.view;
    return ["Wafer", level !== "wafer" ? this.nameOfDie(core) : `cursor on ${this.nameOfDie(core)}`, level === "core" ? this.nameOfCore(core) : level === "die" ? `cursor on ${this.nameOfCore(core)}` : ""].filter(Boolean).join(" › ");
  }
  value(core) {
    const {quantity, cores} = this;
    if (!cores.alive[core]) return "dead";
    if (quantity.kind === "role") return cores.roleName(core);
    if (quantity.kind === "faults") return "works";
    if (quantity.none?.(core)) return "none";
    return `${digits(quantity.of(core))} ${quantity.unit}`;
  }

  // ---- pictures

  /// Colour, ink and the few letters that fit a cell.
  look(core) {
    const {quantity, cores} = this;
    if (!cores.alive[core]) return ["#fff", "#000", "×"];
    if (quantity.kind === "role") {
      const [colour, letter] = kRoles[cores.roleName(core)] ?? ["#bbb", "?"];
      return [colour, "#000", letter];
    }
    if (quantity.kind === "faults" || quantity.none?.(core)) return ["#e8e8e8", "#000", ""];
    const share = quantity.top > 0 ? quantity.of(core) / quantity.top : 0;
    return [cividis(share), inkOn(share), shortNumber(Number(quantity.of(core).toPrecision(2)))];
  }
  draw() {
    if (this.canvas.parentElement.clientWidth === 0) return;
    const layout = this.layout(), pixels = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(layout.width * pixels);
    this.canvas.height = Math.round(layout.height * pixels);
    this.canvas.style.aspectRatio = `${this.canvas.width} / ${this.canvas.height}`;
    const context = this.canvas.getContext("2d");
    context.scale(pixels, pixels);
    if (this.view.level === "core") this.drawCore(context, layout);
    else this.drawCores(context, layout);
    this.say(this.place());
    this.legend.replaceChildren(this.makeLegend());
    this.table.replaceChildren(...this.inspect());
  }
  /// The whole wafer once for each quantity that is worth printing, but the one that is shown.
  pictures(named) {
    const {view, quantities} = this, before = {...view};
    const own = (quantity, i) => quantities.indexOf(quantity) === i;  // not in place of one that it lacks
    const figures = quantities.map((quantity, i) => [quantity, i]).filter(([quantity, i]) => quantity.print && own(quantity, i) && i !== before.quantity).map(([quantity, i]) => {
      Object.assign(view, {level: "wafer", quantity: i});
      this.draw();
      return element("figure", {}, element("h4", {}, `${named ? `${this.cores.title}: ` : ""}${quantity.name}`), element("img", {src: this.canvas.toDataURL(), alt: quantity.name}), this.makeLegend());
    });
    Object.assign(view, before);
    this.draw();
    return figures;
  }
  drawCores(context, {x, y, columns, rows, size, left}) {
    const {cores, view} = this, gap = size > 12 ? 1 : 0;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let row = 0; row < rows; ++row) {
      for (let column = 0; column < columns; ++column) {
        const [colour, ink, letters] = this.look((y + row) * cores.columns + x + column);
        const at = [left + column * size, row * size];
        context.fillStyle = colour;
        context.fillRect(at[0], at[1], size - gap + (gap ? 0 : .4), size - gap + (gap ? 0 : .4));
        if (size < 26 && letters !== "×") continue;
        context.fillStyle = ink;
        context.font = `${Math.min(13, size * (letters.length > 3 ? .28 : .4) + (size < 26 ? size * .5 : 0))}px system-ui, sans-serif`;
        context.fillText(letters, at[0] + size / 2, at[1] + size / 2);
      }
    }
    if (view.level === "wafer") this.drawDies(context, size, left);
    this.drawCursor(context, {x, y, size, left});
  }
  drawDies(context, size, left) {
    const {cores} = this;
    context.strokeStyle = "#fff";
    context.lineWidth = Math.max(1.5, size / 4);
    context.beginPath();
    for (let column = cores.dieColumns; column < cores.columns; column += cores.dieColumns) {
      context.moveTo(left + column * size, 0);
      context.lineTo(left + column * size, cores.rows * size);
    }
    for (let row = cores.dieRows; row < cores.rows; row += cores.dieRows) {
      context.moveTo(left, row * size);
      context.lineTo(left + cores.columns * size, row * size);
    }
    context.stroke();
    context.fillStyle = "#000";
    for (let wafer = 1; wafer < cores.wafers; ++wafer) context.fillRect(left, wafer * cores.rows / cores.wafers * size - 2, cores.columns * size, 4);
  }
  drawCursor(context, {x, y, size, left}) {
    const {cores, view} = this, [coreX, coreY] = cores.at(view.core), [dieX, dieY] = cores.dieOf(view.core);
    const box = view.level === "wafer" ? [left + dieX * cores.dieColumns * size, dieY * cores.dieRows * size, cores.dieColumns * size, cores.dieRows * size]
      : [left + (coreX - x) * size, (coreY - y) * size, size, size];
    for (const [colour, width, inset] of [["#000", 3, 1.5], ["#fff", 1.5, 3.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.strokeRect(box[0] + inset, box[1] + inset, box[2] - 2 * inset, box[3] - 2 * inset);
    }
  }
  /// One core with its links, each as wide as its load among all links of the wafer.
  drawCore(context, {width, height}) {
    const {cores, view} = this, core = view.core, middle = [width / 2, height / 2], half = Math.min(width, height) * .17;
    const [colour, ink] = this.look(core);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = "13px system-ui, sans-serif";
    if (cores.links.values) this.drawLinks(context, middle, half, Math.min(width, height) / 2);
    context.fillStyle = colour;
    context.strokeStyle = "#000";
    context.lineWidth = 2;
    context.fillRect(middle[0] - half, middle[1] - half, 2 * half, 2 * half);
    context.strokeRect(middle[0] - half, middle[1] - half, 2 * half, 2 * half);
    context.fillStyle = ink;
    const lines = [cores.alive[core] ? cores.roleName(core).replace("_", " ") : "dead", (cores.block?.[core] ?? -1) < 0 ? "" : `block ${cores.block[core]}`];
    if (this.quantity.of) lines.push(this.value(core).replace(/ of the (makespan|time)/, ""));
    lines.filter(Boolean).forEach((line, i, all) => context.fillText(line, middle[0], middle[1] + (i - (all.length - 1) / 2) * 18));
    if (cores.links.values) return;
    context.fillStyle = "#59636e";
    context.fillText("fidelity stage follows no single links", middle[0], middle[1] + half + 24);
  }
  drawLinks(context, [x, y], half, end) {
    const {cores, view} = this;
    for (const [name, [right, down]] of Object.entries(kArrows)) {
      const port = cores.ports.indexOf(name), use = cores.linkUse(view.core, port), share = this.linkTop > 0 ? use / this.linkTop : 0;
      const side = 9, from = half + 6, to = end - 34, wide = 2 + 16 * share;
      const point = (along, across) => [x + right * along - down * across, y + down * along + right * across];
      context.fillStyle = cividis(share);
      context.beginPath();
      for (const [along, across] of [[from, side - wide / 2], [to - 12, side - wide / 2], [to - 12, side - wide / 2 - 5], [to, side], [to - 12, side + wide / 2 + 5], [to - 12, side + wide / 2], [from, side + wide / 2]]) context.lineTo(...point(along, across));
      context.fill();
      context.fillStyle = "#1c2128";
      const at = down === 0 ? [x + right * (from + to) / 2, y + right * side + 30] : [x - down * side + (down > 0 ? 66 : -66), y + down * (from + to) / 2];
      context.fillText(`${name} ${percent(use)}`, ...at);
    }
  }
  makeLegend() {
    const {quantity, cores} = this, swatch = (colour, letter, text) => element("span", {}, element("b", {style: `background:${colour}`}, letter), text);
    const dead = cores.count - sum(cores.alive), tail = dead > 0 ? [swatch("#fff", "×", `dead (${grouped(dead)})`)] : [];
    if (quantity.kind === "role") {
      const counts = cores.roleNames.map((_, role) => cores.role.filter((of) => of === role).length);
      return element("div", {class: "legend"}, cores.roleNames.map((name, role) => swatch(...(kRoles[name] ?? ["#bbb", "?"]), `${name.replace("_", " ")} (${grouped(counts[role])})`)), tail);
    }
    if (quantity.kind === "faults") return element("div", {class: "legend"}, swatch("#e8e8e8", " ", `works (${grouped(cores.count - dead)})`), dead > 0 ? tail : "no core is dead");
    const line = ramp(0, quantity.top, quantity.unit);
    line.append(...(quantity.none ? [swatch("#e8e8e8", " ", "none")] : []), ...tail);
    return line;
  }

  // ---- numbers: of the core, or summed over the die or wafer

  inspect() {
    const {cores, view} = this, all = view.level === "wafer" ? cores.all() : view.level === "die" ? cores.coresOfDie(cores.dieOf(view.core)) : [view.core];
    const one = all.length === 1, run = cores.run, rows = [], ports = cores.ports.length;
    const add = (name, value, path, raw, index) => rows.push(element("tr", {"data-path": path, "data-raw": raw, "data-index": index ?? ""},
      element("th", {scope: "row"}, name), element("td", {class: "number"}, value), element("td", {class: "raw"}, `${path}${index === undefined ? "" : `[${index}]`} ${one ? "=" : "sums to"} ${typeof raw === "number" ? grouped(raw) : raw}`)));
    const total = (values, stride = 1, offset = 0) => sum(all.map((core) => values[core * stride + offset]));
    const index = one ? view.core : undefined, indexOf = (at, inner) => one ? `${at}${view.core},${inner}` : `${at}:,${inner}`;
    /// @param show  of the sum over these cores
    const addEach = (name, path, show) => {
      if (run.values(path)) add(name, show(total(run.values(path))), path, total(run.values(path)), index);
    };
    const meanShare = (value) => percent(value / run.makespan / all.length);
    if (one && cores.role) {
      add("role", cores.roleName(view.core), "/cores/role", cores.role[view.core], view.core);
      add("block", cores.block[view.core] < 0 ? "none" : cores.block[view.core], "/cores/block", cores.block[view.core], view.core);
    }
    addEach(one ? "works" : "cores that work", "/cores/alive", (works) => one ? (works ? "yes" : "no, dead") : `${grouped(works)} of ${grouped(all.length)}`);
    addEach(`crossbars busy${one ? "" : ", mean"}`, "/cores/crossbars_busy_ps", meanShare);
    addEach(`SFU busy${one ? "" : ", mean"}`, "/cores/sfu_busy_ps", meanShare);
    addEach("multiply-accumulates", "/cores/macs", (macs) => withUnit(macs, "MAC"));
    addEach("KV blocks, peak", "/cores/kv_blocks_peak", grouped);
    for (const [path, {unit}] of cores.others()) addEach(wordsOf(path), path, (value) => unit === "1" ? digits(value) : withUnit(value, unit));
    const components = cores.energyNames(), energy = run.values("/cores/energy_fj");
    if (energy) rows.push(element("tr", {class: "sum"}, element("th", {scope: "row"}, "dynamic energy"), element("td", {class: "number"}, withUnit(1e-15 * sum(components.map((_, c) => total(energy, components.length, c))), "J")), element("td", {class: "raw"}, "of these components:")));
    components.forEach((name, c) => {
      const femtojoules = total(energy, components.length, c);
      if (femtojoules > 0 || one) add(name.replaceAll("_", " "), withUnit(1e-15 * femtojoules, "J"), "/cores/energy_fj", femtojoules, indexOf("", c));
    });
    cores.ports.forEach((port, i) => add(`link ${port.replace("_", " ")}${one ? "" : ", mean"}`, percent(sum(all.map((core) => cores.linkUse(core, i))) / all.length),
      cores.links.path, total(cores.links.values, ports, i), indexOf(cores.links.at, i)));
    if (cores.waited) cores.ports.forEach((port, i) => {
      const waited = total(cores.waited, ports, i);
      if (waited > 0) add(`waiting for ${port.replace("_", " ")}`, withUnit(1e-12 * waited, "s"), "/links/waited_ps", waited, indexOf("", i));
    });
    return rows;
  }
}

const kMapsOfStudies = 4;

/// The maps of a run: one, or of the network alone one for each load, the lowest and the highest among them.
function coresOf(run) {
  if (!run.values("/cores/alive")) return [];
  if (!run.network) return [new Cores(run)];
  const studies = run.values("/noc/cycles").length, shown = Math.min(studies, kMapsOfStudies);
  return Array.from({length: shown}, (_, i) => new Cores(run, shown > 1 ? Math.round(i * (studies - 1) / (shown - 1)) : 0));
}

/// Maps side by side with one control for all.
function waferSection(runs) {
  const cores = runs.flatMap(coresOf);
  if (cores.length === 0) return note("The run did not end: it left no numbers of its cores.");
  const all = cores.map(quantities);
  const names = [...new Set(all.flat().map(({name}) => name))];
  const view = {level: "wafer", core: 0, quantity: 0};
  const maps = cores.map((of) => new WaferMap(of, view));
  // one scale for all runs, so that colours can be compared; a run without a quantity shows its first one
  maps.forEach((map, i) => {
    map.quantities = names.map((name) => all[i].find((one) => one.name === name) ?? all[i][0]);
    map.linkTop = largest(all.flat().filter(({name}) => name.startsWith("link load: busiest")).map(({top}) => top / 100));
  });
  for (const one of all.flat()) one.top = largest(all.flat().filter(({name}) => name === one.name).map(({top}) => top ?? 0));
  const same = cores.every((of) => of.columns === cores[0].columns && of.rows === cores[0].rows && of.dieColumns === cores[0].dieColumns && of.dieRows === cores[0].dieRows);
  if (!same) maps.forEach((map) => { map.view = {...view}; });
  const out = element("button", {onclick: () => (same ? maps.slice(0, 1) : maps).forEach((map) => map.zoom(-1))}, "Zoom out");
  const draw = () => { out.disabled = maps.every((map) => map.view.level === "wafer"); maps.forEach((map) => map.draw()); };
  for (const map of maps) map.view.changed = draw;
  addEventListener("resize", draw);
  requestAnimationFrame(draw);  // once the page gives it a width
  const select = element("select", {id: "quantity", onchange: () => { maps.forEach((map) => { map.view.quantity = select.selectedIndex; }); draw(); }}, names.map((name) => element("option", {}, name)));
  const controls = element("div", {class: "controls"}, element("label", {for: "quantity"}, "Show"), select, out,
    element("span", {class: "note hint"}, "Click or Enter zooms in: wafer, die, core. Escape zooms out. Arrow keys move."));
  const shown = maps.map((map) => element("div", {}, maps.length > 1 ? element("h3", {}, map.cores.title) : null, map.element));
  const printed = element("div", {class: "printed"});
  addEventListener("beforeprint", () => printed.replaceChildren(...maps.flatMap((map) => map.pictures(maps.length > 1))));
  addEventListener("afterprint", () => printed.replaceChildren());
  return element("div", {class: maps.length > 1 ? "several" : ""}, controls, element("div", {class: maps.length > 1 ? "runs" : ""}, shown), printed,
    cores.some((of) => !of.links.values) ? note("At fidelity stage the file has no numbers of single cores and links: only roles, blocks and faults.") : null,
    runs.some(({network}) => network) ? null : note("Energy is dynamic, with the links that leave a core's router. What cores did over time is in the file by stage and die, not by core."));
}
