"use strict";
// The page of examples. Data come from scripts beside it, which call tunegridTask and tunegridRows (see
// report/examples/pages.py). All texts of the data become text nodes: none is ever read as HTML.

const STUDY = JSON.parse(document.getElementById("study").textContent);
const PAGE = 25, SHOWN = 900, AROUND = 400, ANSWERS = 6, AT_ONCE = 8;
const RUNS = "runs"; // stands for all runs of the task, where no cell is chosen
const byId = (id) => document.getElementById(id);
const count = (number) => number.toLocaleString("en");

// -- elements ---------------------------------------------------------------------------------------------------------

function make(tag, attributes, ...children) {
  const svg = ["svg", "path", "circle", "rect", "text", "g"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) node.style.setProperty(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function problem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

// -- data -------------------------------------------------------------------------------------------------------------

const tasks = {}; // name -> task, once its index is there
const waiting = {}; // address of a script -> promise

function load(address) {
  waiting[address] ??= new Promise((resolve, reject) => {
    const script = make("script", { src: address, charset: "utf-8" });
    script.onload = () => { script.remove(); resolve(); };
    script.onerror = () => {
      script.remove();
      delete waiting[address];
      reject(new Error(`${address} is not there or cannot be read. It belongs beside this page: copy the whole folder, or type tunegrid report again.`));
    };
    document.head.append(script);
  });
  return waiting[address];
}

function numbers(text, width) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  if (width === 1) return bytes;
  return width === 2 ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer);
}

function tunegridTask(task) {
  task.order = numbers(task.order, 4);
  task.scores = numbers(task.scores, 1);
  task.answers = numbers(task.answers, task.width);
  for (const dimension of task.dimensions) dimension.of = numbers(dimension.of, 2);
  task.parts = [];
  task.runs = task.groups.filter((group) => group.kind === "run").flatMap((group) => group.results);
  if (!task.runs.length) task.runs = task.groups.flatMap((group) => group.results);
  task.options = new Map(); // key -> { title, results }
  for (const group of task.groups) {
    task.options.set(group.key, { title: group.title, results: group.results });
    if (group.results.length > 1) {
      for (const result of group.results) {
        const seed = task.results[result].seed;
        task.options.set(`${group.key}/${seed}`, { title: `${group.title}, seed ${seed}`, results: [result] });
      }
    }
  }
  tasks[task.name] = task;
}

function tunegridRows(name, part, rows) {
  tasks[name].parts[part] = rows;
}

const folder = (task) => encodeURIComponent(task);
const partOf = (task, place) => {
  let low = 0, high = task.starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (task.starts[middle] <= place) low = middle; else high = middle - 1;
  }
  return low;
};
const loadPart = (task, part) => load(`${folder(task.name)}/rows-${String(part).padStart(4, "0")}.js`);
const rowAt = (task, place) => {
  const part = partOf(task, place);
  const [id, sources, references, answers, unknown, seen] = task.parts[part][place - task.starts[part]];
  return { id, sources, references, answers, unknown, seen };
};

// -- state: the address says what is shown, so that every view is a link -----------------------------------------------

let state = {};

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const number = (name, least, otherwise) => {
    const value = Number(given.get(name));
    return given.has(name) && Number.isFinite(value) && value >= least ? value : otherwise;
  };
  const task = STUDY.tasks.some((each) => each.name === given.get("task")) ? given.get("task") : STUDY.tasks[0]?.name;
  return {
    task,
    view: given.get("view") || "rows",
    a: given.get("a") || RUNS,
    b: given.get("b") || "",
    is: given.get("is") || "any",
    text: given.get("text") || "",
    slices: given.getAll("slice"),
    sort: given.get("sort") || "wrong",
    from: number("from", 0, null),
    page: Math.floor(number("page", 1, 1)),
  };
}

function address(changes) {
  const next = { ...state, page: 1, ...changes };
  const parts = new URLSearchParams({ task: next.task });
  const usual = { view: "rows", a: RUNS, b: "", is: "any", text: "", sort: "wrong", from: null, page: 1 };
  for (const [name, value] of Object.entries(usual)) if (next[name] !== value) parts.set(name, next[name]);
  for (const slice of next.slices) parts.append("slice", slice);
  return `#${parts}`;
}

function go(changes, replace) {
  const target = address(changes);
  if (target === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", target);
  show();
}

// -- which rows -------------------------------------------------------------------------------------------------------

const threshold = (task) => Math.floor((state.from ?? task.judge.from) * task.steps);

/** How many of some results are right on each row. */
function rights(task, results) {
  const found = new Uint16Array(task.rows), from = threshold(task);
  for (const result of results) {
    const start = result * task.rows;
    for (let row = 0; row < task.rows; row++) if (task.scores[start + row] >= from) found[row]++;
  }
  return found;
}

/** Whether the results of a and b gave different sets of answers. */
function differs(task, a, b, row) {
  const set = (results) => new Set(results.map((result) => task.answers[result * task.rows + row]));
  const first = set(a), second = set(b);
  return first.size !== second.size || [...first].some((answer) => !second.has(answer));
}

function chosen(task) {
  const a = task.options.get(state.a)?.results ?? task.runs;
  return { a, b: task.options.get(state.b)?.results ?? null };
}

const KINDS = {
  any: ["any", () => true],
  right: ["right (all of them)", (row) => row.a === row.ofA],
  wrong: ["wrong (all of them)", (row) => row.a === 0],
  mixed: ["some right, some wrong", (row) => row.a > 0 && row.a < row.ofA],
  fails: ["at least one wrong", (row) => row.a < row.ofA],
  better: ["A right, B wrong", (row) => row.a === row.ofA && row.b === 0, true],
  worse: ["A wrong, B right", (row) => row.a === 0 && row.b === row.ofB, true],
  differ: ["A and B answer differently", (row) => row.differ(), true],
};

/** Places of the rows that pass all filters but the text, in order. */
function filtered(task) {
  const { a, b } = chosen(task);
  const rightA = rights(task, a), rightB = b && rights(task, b), test = (KINDS[state.is] ?? KINDS.any)[1];
  const slices = state.slices.map((slice) => {
    const [title, ...rest] = slice.split(":"), dimension = task.dimensions.find((each) => each.title === title);
    return dimension && { of: dimension.of, value: dimension.slices.indexOf(rest.join(":")) };
  }).filter(Boolean);
  const places = [];
  for (let row = 0; row < task.rows; row++) {
    if (!slices.every((slice) => slice.of[row] === slice.value)) continue;
    const facts = { a: rightA[row], ofA: a.length, b: b ? rightB[row] : 0, ofB: b ? b.length : 0, differ: () => b !== null && differs(task, a, b, row) };
    if (test(facts)) places.push(row);
  }
  return sorted(task, places);
}

const SORTS = {
  wrong: "most runs wrong first",
  right: "fewest runs wrong first",
  split: "most divided runs first",
  data: "order of the data",
};

function sorted(task, places) {
  const right = state.sort === "data" ? null : rights(task, task.runs), half = task.runs.length / 2;
  const keys = {
    wrong: (row) => right[row],
    right: (row) => -right[row],
    split: (row) => Math.abs(right[row] - half),
    data: (row) => task.order[row],
  };
  const key = keys[state.sort] ?? keys.wrong;
  return places.sort((first, second) => key(first) - key(second) || first - second);
}

let search = { key: null, hits: null, done: 0 };

/** Looks for the text in all files of rows; calls `progress` on the way. Resolves to false when another search began. */
async function find(task, text, progress) {
  const key = `${task.name}\n${text}`;
  if (search.key !== key) {
    search = { key, hits: new Uint8Array(task.rows), done: 0, running: null };
    search.running = scan(task, text.toLowerCase(), search, progress);
  }
  const mine = search;
  await mine.running;
  return mine === search;
}

async function scan(task, text, mine, progress) {
  let next = 0, drawn = performance.now();
  async function worker() {
    while (next < task.starts.length && mine === search) {
      const part = next++;
      await loadPart(task, part);
      task.parts[part].forEach(([id, sources, references, answers], offset) => {
        const has = (each) => each.toLowerCase().includes(text);
        if (has(id) || sources.some(has) || references.some(has) || answers.some(has)) mine.hits[task.starts[part] + offset] = 1;
      });
      mine.done++;
      if (performance.now() - drawn > 150) { drawn = performance.now(); progress(mine.done); }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

// -- the view of rows -------------------------------------------------------------------------------------------------

/** A text as nodes: parts that equal a needle are marked; what is long is cut, around the first mark, until asked for. */
function shownText(text, needles, whole) {
  if (text === "") return make("div", { class: "text none" }, "(empty)");
  const lower = text.toLowerCase(), exact = lower.length === text.length; // some characters change their length
  const spots = [];
  for (const needle of needles.filter(Boolean)) {
    const wanted = exact ? needle.toLowerCase() : needle, where = exact ? lower : text;
    for (let at = where.indexOf(wanted); at >= 0 && spots.length < 200; at = where.indexOf(wanted, at + wanted.length)) spots.push([at, at + wanted.length]);
  }
  spots.sort((first, second) => first[0] - second[0]);
  let start = 0, end = text.length;
  if (!whole && text.length > SHOWN) {
    const first = spots.length ? spots[0][0] : 0;
    start = first > SHOWN - 100 ? first - AROUND : 0;
    end = Math.min(start + SHOWN, text.length);
    if (/[\uDC00-\uDFFF]/.test(text[start])) start++; // never half of a character
    if (/[\uDC00-\uDFFF]/.test(text[end] ?? "")) end++;
  }
  const node = make("div", { class: "text", dir: "auto" });
  if (start) node.append("… ");
  let at = start;
  for (const [from, to] of spots) {
    if (from < at || to > end) continue;
    node.append(text.slice(at, from), make("mark", null, text.slice(from, to)));
    at = to;
  }
  node.append(text.slice(at, end));
  if (start || end < text.length) {
    const button = make("button", { class: "more", type: "button", onclick: () => node.replaceWith(shownText(text, needles, true)) }, `show all ${count(text.length)} characters`);
    node.append(end < text.length ? " …" : "", button);
  }
  return node;
}

/** Names of the results that gave an answer: a cell once, with its seeds where not all of them gave it. */
function who(task, results, inA, inB) {
  const given = new Set(results);
  return task.groups.filter((group) => group.results.some((result) => given.has(result))).map((group) => {
    const own = group.results.filter((result) => given.has(result));
    const seeds = own.map((result) => task.results[result].seed);
    const words = own.length === group.results.length ? "" : ` (seed${own.length > 1 ? "s" : ""} ${seeds.join(", ")})`;
    const side = own.some((result) => inA.has(result)) ? "in-a" : own.some((result) => inB.has(result)) ? "in-b" : null;
    return make("span", { class: side }, make("em", null, group.title), words);
  });
}

function answersOf(task, place, row, needles) {
  const from = threshold(task), { a, b } = chosen(task);
  const inA = new Set(state.a === RUNS ? [] : a), inB = new Set(b ?? []), byAnswer = new Map();
  task.results.forEach((_, result) => {
    const at = result * task.rows + place, answer = task.answers[at];
    const entry = byAnswer.get(answer) ?? { text: row.answers[answer], score: task.scores[at], results: [] };
    entry.results.push(result);
    byAnswer.set(answer, entry);
  });
  const asked = (entry) => entry.results.some((result) => inA.has(result) || inB.has(result));
  const entries = [...byAnswer.values()].sort((first, second) => second.score - first.score || second.results.length - first.results.length);
  const list = make("ul", { class: "answers" }), most = entries.length > ANSWERS + 2 ? ANSWERS : entries.length;
  // Of many answers a few of all scores are shown, and always those that are asked for.
  const few = entries.filter((entry, number) => most === entries.length || asked(entry) || Math.floor(number * most / entries.length) !== Math.floor((number - 1) * most / entries.length));
  const items = (shown) => shown.map((entry) => {
    const right = entry.score >= from;
    const score = task.judge.graded && make("span", { class: "score" }, `${task.judge.title} ${(entry.score / task.steps).toFixed(2)}`);
    const text = shownText(entry.text, needles, false);
    if (score) text.append(score);
    return make("li", { class: right ? "right" : "wrong" },
      make("span", { class: "sign", title: right ? "right" : "wrong", role: "img", "aria-label": right ? "right" : "wrong" }, right ? "✓" : "✗"), text, make("div", { class: "who" }, who(task, entry.results, inA, inB)));
  });
  list.append(...items(few));
  if (few.length === entries.length) return list;
  const button = make("button", { class: "more", type: "button", onclick: () => { list.replaceChildren(...items(entries)); button.remove(); } }, `show all ${entries.length} different answers`);
  return [list, button];
}

function card(task, place, right) {
  const row = rowAt(task, place), needles = [state.text], wrong = task.runs.length - right[place];
  const gold = task.labelled ? [] : row.references.filter((text) => text.length > 1);
  const facts = task.dimensions.map((dimension) => `${dimension.title}: ${dimension.slices[dimension.of[place]]}`);
  for (const [model, tokens] of Object.entries(row.unknown)) facts.push(`${count(tokens)} unknown to ${model}`);
  if (row.seen && row.seen[0]) facts.push(`${count(row.seen[0])} of ${count(row.seen[1])} 13-grams in training rows`);
  const parts = row.sources.flatMap((text, number) => [make("dt", null, task.columns[number]), make("dd", null, shownText(text, [...needles, ...gold], false))]);
  const references = row.references.length
    ? [make("dt", null, row.references.length > 1 ? "References" : "Reference"), make("dd", null, [...new Set(row.references)].map((text) => shownText(text, needles, false)))] : [];
  return make("article", { class: "row", "data-id": row.id },
    make("header", null, make("b", null, row.id), make("span", { class: "share" }, make("i", { "--share": `${100 * wrong / (task.runs.length || 1)}%` }), `${wrong} of ${task.runs.length} runs wrong`), facts.map((fact) => make("span", null, fact))),
    make("dl", null, parts, references, make("dt", null, "Answers"), make("dd", null, answersOf(task, place, row, needles))));
}

function select(title, value, options, change, name) {
  const list = make("select", { onchange: (event) => change(event.target.value), name },
    options.map(([key, text, disabled]) => make("option", { value: key, selected: key === value, disabled }, text)));
  return make("label", { class: name }, title, list);
}

function filters(task) {
  const cells = [...task.options].map(([key, option]) => [key, option.title + (task.groups.find((group) => group.key === key) ? `  (${task.groups.find((group) => group.key === key).score})` : "")]);
  const kinds = Object.entries(KINDS).map(([key, [text, , needsB]]) => [key, text, needsB && !state.b]);
  const slices = task.dimensions.map((dimension) => {
    const current = state.slices.find((slice) => slice.startsWith(`${dimension.title}:`))?.slice(dimension.title.length + 1) ?? "";
    const rest = state.slices.filter((slice) => !slice.startsWith(`${dimension.title}:`));
    return select(dimension.title, current, [["", "any"], ...dimension.slices.map((slice) => [slice, slice])], (value) => go({ slices: value ? [...rest, `${dimension.title}:${value}`] : rest }), "slice");
  });
  let later;
  const text = make("input", { type: "search", value: state.text, name: "text", spellcheck: "false", oninput: (event) => {
    clearTimeout(later);
    later = setTimeout(() => go({ text: event.target.value }, true), 300);
  } });
  const graded = task.judge.graded && make("label", null, `An answer is right from ${task.judge.title}`, make("input", { type: "number", name: "from", min: 0, max: 1, step: 0.05, value: state.from ?? task.judge.from, onchange: (event) => go({ from: event.target.value === "" ? null : Number(event.target.value) }) }));
  return make("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
    select("Answers of (A)", state.a, [[RUNS, "all runs"], ...cells], (value) => go({ a: value }), "a"),
    select("are", state.is, kinds, (value) => go({ is: value }), "is"),
    select("compared with (B)", state.b, [["", "nothing"], ...cells], (value) => go({ b: value, is: value ? state.is : KINDS[state.is]?.[2] ? "any" : state.is }), "b"),
    select("Order", state.sort, Object.entries(SORTS), (value) => go({ sort: value }), "sort"),
    slices, graded, make("label", null, "Text in source, references, answers", text));
}

function pager(task, places, page, pages) {
  const words = make("output", { id: "count" }, `${count(places.length)} of ${count(task.rows)} rows`);
  const jump = (to) => () => { go({ page: to }); scrollTo(0, 0); };
  return make("div", { class: "bar" }, words,
    make("button", { type: "button", disabled: page <= 1, onclick: jump(page - 1) }, "← Previous"),
    make("span", null, "page ", make("input", { type: "number", min: 1, max: pages, value: page, "aria-label": "Page", onchange: (event) => go({ page: Math.min(Math.max(1, Math.floor(Number(event.target.value)) || 1), pages) }) }), ` of ${count(pages)}`),
    make("button", { type: "button", disabled: page >= pages, onclick: jump(page + 1) }, "Next →"));
}

async function rowsView(task, mine) {
  const place = byId("view");
  let form = place.querySelector("form.filters");
  const key = JSON.stringify([task.name, state.a, state.b, state.is, state.slices, state.sort, state.from]);
  if (form?.dataset.key !== key) { // typing into the search must not lose the cursor
    form = filters(task);
    form.dataset.key = key;
    place.replaceChildren(form, make("div", { id: "found" }));
  }
  const draw = async (places) => {
    const pages = Math.max(1, Math.ceil(places.length / PAGE)), page = Math.min(state.page, pages);
    const visible = places.slice((page - 1) * PAGE, page * PAGE), right = rights(task, task.runs);
    await Promise.all([...new Set(visible.map((row) => partOf(task, row)))].map((part) => loadPart(task, part)));
    if (mine !== shows) return;
    const empty = !places.length && make("p", { class: "quiet" }, task.rows ? "No row passes these filters." : "There are no answers to this task yet.");
    byId("found").replaceChildren(pager(task, places, page, pages), ...visible.map((row) => card(task, row, right)), ...(empty ? [empty] : []), ...(visible.length > 3 ? [pager(task, places, page, pages)] : []));
    if (visible.length > 3) byId("found").lastChild.querySelector("output").removeAttribute("id");
  };
  let places = filtered(task);
  if (state.text) {
    const progress = (done) => mine === shows && byId("found").replaceChildren(make("p", { class: "quiet", role: "status" }, `Searching: ${count(done)} of ${count(task.starts.length)} files …`));
    if (!(await find(task, state.text, progress)) || mine !== shows) return;
    places = places.filter((row) => search.hits[row]);
  }
  await draw(places);
}

// -- the view of slices -----------------------------------------------------------------------------------------------

function slicesView(task) {
  const groups = new Map(task.groups.map((group) => [group.key, group]));
  const tables = task.dimensions.map((dimension) => {
    const values = new Map(task.slices.filter((row) => row[1] === dimension.title).map((row) => [`${row[0]}\n${row[2]}`, row]));
    const sizes = new Map(task.slices.filter((row) => row[1] === dimension.title).map((row) => [row[2], row[3]]));
    const lines = [...groups.values()].map((group) => make("tr", null, make("th", { scope: "row" }, group.title), make("td", null, group.score),
      dimension.slices.map((slice) => {
        const row = values.get(`${group.key}\n${slice}`);
        if (!row) return make("td", null, "—");
        const off = row[4] - group.mean, strength = Math.min(Math.abs(off) * 1.6, 0.4).toFixed(3);
        const link = address({ view: "rows", a: group.key, b: "", is: "any", text: "", slices: [`${dimension.title}:${slice}`] });
        return make("td", { class: "cell", "--tint": off < 0 ? "var(--wrong)" : "var(--right)", "--strength": strength }, make("a", { href: link }, row[5], make("small", null, row[6])));
      })));
    const heads = dimension.slices.map((slice) => make("th", { scope: "col" }, slice, make("small", null, `${count(sizes.get(slice) ?? 0)} rows`)));
    return make("section", null, make("h2", null, dimension.title), make("div", { class: "scroll" }, make("table", null, make("thead", null, make("tr", null, make("th", { scope: "col" }, ""), make("th", { scope: "col" }, "All rows"), heads)), make("tbody", null, lines))));
  });
  byId("view").replaceChildren(make("p", { class: "quiet" }, `${task.metric} on slices of the test rows, mean over seeds, with its interval; green above, red below the score on all rows. A slice that was looked for until it differed proves nothing: there are many here. A score leads to its rows.`), ...(tables.length ? tables : [make("p", null, "These rows cannot be divided.")]));
}

// -- the view of labels -----------------------------------------------------------------------------------------------

function axes(xTitle, yTitle, ...marks) {
  const x = (value) => 34 + value * 250, y = (value) => 262 - value * 250, ticks = [0, 0.25, 0.5, 0.75, 1];
  return make("svg", { viewBox: "0 0 300 300", role: "img", "aria-label": `${yTitle} by ${xTitle}` },
    ticks.map((tick) => make("path", { class: "grid", d: `M${x(0)} ${y(tick)}H${x(1)}M${x(tick)} ${y(0)}V${y(1)}` })),
    ticks.map((tick) => [make("text", { x: x(tick), y: y(0) + 15, "text-anchor": "middle" }, String(tick)), make("text", { x: x(0) - 5, y: y(tick) + 4, "text-anchor": "end" }, String(tick))]),
    make("text", { x: x(0.5), y: 296, "text-anchor": "middle" }, xTitle), make("text", { x: x(0), y: 8 }, yTitle), marks.flat().map((mark) => mark(x, y)));
}

const line = (points, name) => (x, y) => make("path", { class: `line ${name}`, d: points.map(([a, b], number) => `${number ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join("") });

function bySeed(rows) {
  const seeds = new Map();
  for (const row of rows) seeds.set(row[1], [...(seeds.get(row[1]) ?? []), row]);
  return [...seeds];
}

function reliability(rows) {
  const seeds = bySeed(rows), total = rows.reduce((sum, row) => sum + row[2], 0);
  const bars = new Map();
  for (const [, , size, confidence] of rows) { const bin = Math.min(9, Math.floor(confidence * 10)); bars.set(bin, (bars.get(bin) ?? 0) + size); }
  const marks = [
    [...bars].map(([bin, size]) => (x, y) => make("rect", { class: "count", x: x(bin / 10) + 1, y: y(0.25 * size / total), width: 23, height: y(0) - y(0.25 * size / total) })),
    (x, y) => make("path", { class: "ideal", d: `M${x(0)} ${y(0)}L${x(1)} ${y(1)}` }),
    seeds.map(([, points], number) => [line(points.map((row) => [row[3], row[4]]), `c${number % 4}`), points.map((row) => (x, y) => make("circle", { class: `c${number % 4}`, cx: x(row[3]), cy: y(row[4]), r: 3 }))]).flat(2),
  ];
  const errors = seeds.map(([seed, points]) => `${seed === null ? "" : `seed ${seed} `}${points[0][5].toFixed(3)}`).join(", ");
  return make("figure", null, axes("probability of the predicted label", "accuracy", ...marks), make("figcaption", null, `Reliability: a point per tenth of probability, below the diagonal where the model is too sure. Bars: share of the rows, a quarter of the height for all. Expected calibration error: ${errors}.`));
}

function thresholdChart(rows) {
  const names = ["precision", "recall", "F1", "accuracy"], seeds = bySeed(rows).length;
  const means = names.map((_, number) => {
    const sums = new Map();
    for (const row of rows) if (row[4 + number] !== null) sums.set(row[3], [...(sums.get(row[3]) ?? []), row[4 + number]]);
    return [...sums].map(([at, values]) => [at, values.reduce((sum, value) => sum + value, 0) / values.length]);
  });
  const best = means[2].reduce((top, point) => (point[1] > top[1] ? point : top), [0.5, 0]), usual = means[2].find(([at]) => at === 0.5);
  const marks = means.map((points, number) => line(points, `c${number}`));
  const legend = names.map((name, number) => (x, y) => make("text", { class: `c${number}`, x: x(0.22 + 0.21 * number), y: 8 }, name));
  return make("figure", null, axes(`threshold on the probability of “${rows[0][2]}”`, "score", ...marks, ...legend), make("figcaption", null, `What other thresholds would do${seeds > 1 ? `, mean over ${seeds} seeds` : ""}. Highest F1: ${best[1].toFixed(3)} at ${best[0]}${usual ? `, against ${usual[1].toFixed(3)} at 0.5` : ""}. It is read off the test rows, so it is not a score to report: choose a threshold on validation rows.`));
}

function matrix(task, group, rows) {
  const seeds = bySeed(rows).length, totals = new Map(), cells = new Map();
  for (const [, , reference, prediction, size] of rows) {
    for (const name of [reference, prediction]) totals.set(name, (totals.get(name) ?? 0) + size);
    cells.set(`${reference}\n${prediction}`, (cells.get(`${reference}\n${prediction}`) ?? 0) + size);
  }
  const names = [...totals.keys()].sort((first, second) => totals.get(second) - totals.get(first)).slice(0, 15).sort();
  const lines = names.map((reference) => {
    const sum = names.reduce((total, prediction) => total + (cells.get(`${reference}\n${prediction}`) ?? 0), 0) || 1;
    return make("tr", null, make("th", { scope: "row" }, reference), names.map((prediction) => {
      const size = (cells.get(`${reference}\n${prediction}`) ?? 0) / seeds;
      const link = address({ view: "rows", a: group.key, b: "", is: reference === prediction ? "right" : "fails", text: "", slices: task.dimensions.some((each) => each.title === "Label") ? [`Label:${reference}`] : [] });
      return make("td", { class: "cell", "--tint": reference === prediction ? "var(--right)" : "var(--wrong)", "--strength": (0.45 * size * seeds / sum).toFixed(3) }, make("a", { href: link }, size.toLocaleString("en", { maximumFractionDigits: 1 })));
    }));
  });
  const more = totals.size > names.length ? `; the ${names.length} commonest of ${totals.size} labels` : "";
  return make("div", { class: "scroll" }, make("table", null, make("caption", null, `Rows by reference (line) and predicted label (column)${seeds > 1 ? `, mean over ${seeds} seeds` : ""}${more}`), make("thead", null, make("tr", null, make("th", { scope: "col" }, ""), names.map((name) => make("th", { scope: "col" }, name)))), make("tbody", null, lines)));
}

function labelsView(task) {
  const best = task.groups.reduce((top, group) => (group.kind === "run" && (!top || group.mean > top.mean) ? group : top), null);
  const group = task.groups.find((each) => each.key === state.a) ?? best ?? task.groups[0];
  if (!group) { byId("view").replaceChildren(make("p", { class: "quiet" }, "There are no answers to this task yet.")); return; }
  const own = (rows) => rows.filter((row) => row[0] === group.key), calibration = own(task.calibration), thresholds = own(task.thresholds);
  const lines = task.groups.map((each) => {
    const errors = bySeed(task.calibration.filter((row) => row[0] === each.key)).map(([, rows]) => rows[0][5]);
    const mean = errors.length ? (errors.reduce((sum, error) => sum + error, 0) / errors.length).toFixed(3) : "—";
    return make("tr", { "aria-current": each === group && "true" }, make("th", { scope: "row" }, make("a", { href: address({ a: each.key }) }, each.title)), make("td", null, each.score), make("td", null, mean));
  });
  byId("view").replaceChildren(
    make("h2", null, group.title), matrix(task, group, own(task.confusion)),
    make("div", { class: "charts" }, calibration.length ? reliability(calibration) : make("p", { class: "quiet" }, "It gives no probabilities, so it has no calibration."), thresholds.length ? thresholdChart(thresholds) : null),
    make("h2", null, "All of them"), make("div", { class: "scroll" }, make("table", null, make("thead", null, make("tr", null, ["", task.metric, "Calibration error"].map((title) => make("th", { scope: "col" }, title)))), make("tbody", null, lines))));
}

// -- everything -------------------------------------------------------------------------------------------------------

let shows = 0; // number of the latest call of show

async function show() {
  const mine = ++shows, main = byId("main");
  const before = state.task;
  state = readAddress();
  problem("");
  if (!state.task) { main.replaceChildren(make("p", null, "This study has no task.")); return; }
  byId("tasks").replaceChildren(...STUDY.tasks.map((task) => make("a", { href: `#${new URLSearchParams({ task: task.name })}`, "aria-current": task.name === state.task && "page" }, task.title, " ", make("span", null, count(task.rows)))));
  try {
    if (!tasks[state.task]) await load(`${folder(state.task)}/index.js`);
    if (mine !== shows) return;
    const task = tasks[state.task];
    if (state.a !== RUNS && !task.options.has(state.a)) problem(`There are no answers of ${state.a}: its runs failed or are missing. All runs are shown.`);
    if (before !== state.task || !byId("view")) {
      const missing = task.missing.length && make("details", { class: "quiet" }, make("summary", null, `${count(task.missing.length)} results without answers`), make("ul", null, task.missing.map((text) => make("li", null, text))));
      main.replaceChildren(make("nav", { class: "views", "aria-label": "Views", id: "views" }), make("div", { id: "view" }), ...(missing ? [missing] : []));
    }
    const views = { rows: "Rows", slices: "Slices", ...(task.labelled && { labels: "Confusion and calibration" }) };
    if (!(state.view in views)) state.view = "rows";
    byId("views").replaceChildren(...Object.entries(views).map(([view, title]) => make("a", { href: address({ view }), "aria-current": view === state.view && "page" }, title)));
    if (state.view === "rows") await rowsView(task, mine);
    else if (state.view === "slices") slicesView(task);
    else labelsView(task);
  } catch (error) {
    if (mine === shows) problem(error.message);
  }
  if (mine === shows) main.setAttribute("aria-busy", "false");
}

addEventListener("hashchange", show);
show();
