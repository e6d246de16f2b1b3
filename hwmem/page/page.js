"use strict";
// Draws the page's data: an element for each block, text as text, never as markup. One function a kind of block, at the end of the file.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  let ids = 0;
  const fresh = () => `n${++ids}`;

  // ---- making elements -------------------------------------------------------------------------------------------------
  function fill(made, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (typeof value === "function") made.addEventListener(name, value);
      else if (name === "width%") made.style.width = `${value}%`;
      else if (name === "left%") made.style.left = `${value}%`;
      else if (name === "ground") made.style.background = value;
      else if (name === "grow") made.style.flex = `${value} 1 0`;
      else made.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat(9)) if (child !== null && child !== undefined && child !== "") made.append(child);
    return made;
  }
  const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
  const put = (where, ...children) => { where.replaceChildren(...children.flat(9).filter(c => c !== null && c !== undefined)); return where; };
  const beside = ([text, to]) => el("a", { href: `./${encodeURIComponent(to)}` }, text);   // a page in the same folder, whatever its name is
  const swatch = name => el("span", { class: `swatch fill ${name}`, "aria-hidden": "true" });
  const colour = k => `c${k % 8}`;
  const widths = [];      // what is drawn anew when its width has changed
  const watch = (where, draw) => { widths.push([where, draw, 0]); };
  function redraw() {
    for (const one of widths) {
      const now = one[0].clientWidth;
      if (now && now !== one[2]) { one[2] = now; one[1](now); }
    }
    for (const one of document.querySelectorAll(".scroll, pre")) {
      const wide = one.scrollWidth > one.clientWidth + 1;
      if (wide) one.setAttribute("tabindex", "0"); else one.removeAttribute("tabindex");
    }
  }

  // ---- numbers ---------------------------------------------------------------------------------------------------------
  const grouped = new Intl.NumberFormat("en-US");
  const int = n => grouped.format(n);
  function num(n) {
    const size = Math.abs(n);
    return n.toLocaleString("en-US", size >= 1 || n === 0 ? { maximumFractionDigits: size >= 1000 ? 0 : size >= 100 ? 1 : 2 } : { maximumSignificantDigits: 3 });
  }
  function bytes(n) {
    for (const [unit, name] of [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]])
      if (Math.abs(n) >= unit) return `${(n / unit).toLocaleString("en-US", { maximumFractionDigits: n / unit >= 100 ? 0 : 1 })} ${name}`;
    return `${int(n)} B`;
  }
  function seconds(s, span) {
    const of = span === undefined ? Math.abs(s) : span;
    const [unit, name] = of >= 1 ? [1, "s"] : of >= 1e-3 ? [1e-3, "ms"] : of >= 1e-6 ? [1e-6, "µs"] : [1e-9, "ns"];
    return `${Number((s / unit).toPrecision(span === undefined ? 3 : 6)).toLocaleString("en-US", { maximumFractionDigits: 3 })} ${name}`;
  }
  const pct = n => `${(100 * n).toFixed(1)}%`;
  const short = n => { for (const [unit, name] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) if (Math.abs(n) >= unit) return `${Number((n / unit).toPrecision(3))}${name}`; return `${Number(n.toPrecision(3))}`; };
  const SHOW = { int, num, pct, bytes, address: n => (typeof n === "number" ? `0x${n.toString(16)}` : n), text: String, code: String };
  const NUMERIC = ["int", "num", "pct", "bytes"];
  const amount = { bytes, count: n => (Number.isInteger(n) ? int(n) : num(n)), "per thousand": n => num(n) };
  const axis = { bytes, count: short, "per thousand": short };
  const letter = t => (t === null ? "·" : t < 0 ? "#" : t < 10 ? `${t}` : t < 36 ? String.fromCharCode(87 + t) : t < 62 ? String.fromCharCode(29 + t) : "+");
  const threadName = t => (t === null ? "nobody" : t < 0 ? "several threads" : `thread ${t}`);
  const threadClass = t => (t === null ? "nobody" : t < 0 ? "several" : colour(t));

  // What is wider than its place scrolls there, and by the keyboard: redraw() lets it have the focus. A landmark if its name is its own.
  const named = new Set(data.sections.map(s => s.title.toLowerCase()));
  function region(name) {
    if (!name || named.has(name.toLowerCase())) return {};
    named.add(name.toLowerCase());
    return { role: "region", "aria-label": name };
  }
  const scrolling = (name, inside) => el("div", { class: "scroll", ...region(name) }, inside);

  // ---- tables ----------------------------------------------------------------------------------------------------------
  function cell(value, kind) {
    if (value === null || value === undefined) return el("td", { class: NUMERIC.includes(kind) ? "number" : "" }, "–");
    if (kind === "bar")
      return el("td", { class: "metered" }, el("span", { class: "meter", "aria-hidden": "true" }, el("i", { "width%": 100 * Math.min(1, value) })), pct(value));
    if (kind === "tilt")
      return el("td", {}, el("span", { class: "meter tilt", "aria-hidden": "true" },
        el("i", { "left%": value < 0 ? 50 + 50 * value : 50, "width%": 50 * Math.abs(value) })), el("span", { class: "hidden" }, value < 0 ? "less" : "more"));
    if (kind === "strip") return el("td", {}, strip(value));
    if (kind === "stack") return el("td", {}, stack(value));
    if (kind === "link") return el("td", {}, beside(value));
    if (kind === "tone") return el("td", { class: `tone ${value[1]}` }, value[0]);
    if (NUMERIC.includes(kind)) return el("td", { class: "number" }, SHOW[kind](value));
    return el("td", { class: kind === "text" ? "words" : kind }, (SHOW[kind] || String)(value));
  }
  function strip([resident, swapped]) {
    const n = resident.length, made = svg("svg", { class: "strip", viewBox: `0 0 ${n} 10`, preserveAspectRatio: "none", role: "img" });
    let sum = 0, out = 0;
    for (const [digits, kind] of [[resident, "c0"], [swapped, "c1"]])
      for (let i = 0; i < n;) {
        let j = i;
        while (j < n && digits[j] === digits[i]) j++;
        const share = Number(digits[i]) / 9;
        if (kind === "c0") sum += share * (j - i); else out += share * (j - i);
        if (share) made.append(svg("rect", { x: i, y: kind === "c0" ? 10 - 10 * share : 0, width: j - i, height: 10 * share, class: `fill ${kind}` }));
        i = j;
      }
    made.setAttribute("aria-label", `${pct(sum / n)} resident${out ? `, ${pct(out / n)} in swap` : ""}`);
    return made;
  }
  function stack(values) {
    const total = values.reduce((a, b) => a + b, 0);
    return el("div", { class: "stack", "aria-hidden": "true" }, values.map((v, k) => v ? el("i", { class: `fill ${colour(k)}`, grow: v / total, title: `${int(v)}` }) : null));
  }
  function table(block) {
    let order = null, down = true, wanted = "", most = block.rows.length > 30 ? 20 : Infinity;
    const more = el("button", { type: "button", click: () => { most = Infinity; draw(); } });
    const body = el("tbody"), heads = [];
    const worded = (v, kind) => (kind === "link" || kind === "tone" ? v[0] : v);
    const shown = row => row.map((v, k) => (SHOW[block.columns[k].kind] || String)(worded(v, block.columns[k].kind) ?? "")).join(" ").toLowerCase();
    function draw() {
      let rows = block.rows.slice();
      if (wanted) rows = rows.filter(row => shown(row).includes(wanted));
      if (order !== null) rows.sort((a, b) => compare(a[order], b[order]) * (down ? -1 : 1));
      more.hidden = rows.length <= most;
      more.textContent = `Show all ${int(rows.length)} rows`;
      put(body, rows.slice(0, most).map(row => el("tr", {}, row.map((value, k) => {
        const kind = block.columns[k].kind;
        if (k === 0 && kind === "link") return el("th", { scope: "row", class: "words" }, beside(value));
        if (k === 0 && !NUMERIC.includes(kind) && kind !== "address") return el("th", { scope: "row", class: "words" }, String(value));
        return cell(value, kind);
      }))), rows.length ? null : el("tr", {}, el("td", { colspan: block.columns.length }, "nothing matches")));
    }
    function compare(a, b) {
      if (Array.isArray(a)) return 0;
      if (a === null) return -1;
      if (b === null) return 1;
      return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
    }
    block.columns.forEach((column, k) => {
      const sorts = block.sort && column.name && block.rows.length > 1 && column.kind !== "strip" && column.kind !== "stack";
      const inside = [column.swatch ? swatch(column.swatch) : null, column.name];
      const head = el("th", { scope: "col", class: NUMERIC.includes(column.kind) ? "number" : "" }, sorts ? el("button", { type: "button", click: () => {
        down = order === k ? !down : NUMERIC.includes(column.kind) || column.kind === "bar";
        order = k;
        heads.forEach(h => h.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        draw();
      } }, inside) : inside);
      heads.push(head);
    });
    draw();
    const made = el("table", {}, block.caption ? el("caption", {}, block.caption) : null, el("thead", {}, el("tr", {}, heads)), body);
    const filter = block.rows.length > 12 ? el("div", { class: "controls" }, el("label", {}, "Filter ", el("input", { type: "search", input: event => {
      wanted = event.target.value.toLowerCase();
      draw();
    } }))) : null;
    return el("div", { class: "block" }, filter, scrolling(block.caption, made), more, note(block));
  }
  const note = block => (block.note ? el("p", { class: "note" }, block.note) : null);

  // ---- the blocks ------------------------------------------------------------------------------------------------------
  const draw = {
    tiles: block => el("dl", { class: "tiles" }, block.tiles.map(one => el("div", { class: `tile ${one.tone}` }, el("dt", {}, one.label),
      el("dd", { class: "value" }, one.value), one.says ? el("dd", {}, one.says) : null))),
    words: block => el("div", { class: "block" }, block.paragraphs.map(text => el("p", {}, text))),
    listing: block => el("details", { open: block.opened }, el("summary", {}, block.title), el("pre", region(block.title), block.text)),
    picture: block => el("figure", {}, el("img", { src: block.source, alt: block.says })),
    table,
    bars: block => table({
      columns: [{ name: block.of, kind: "text" }, { name: block.unit, kind: "stack" },
        ...block.parts.map((name, k) => ({ name, kind: "int", swatch: colour(k) })), { name: "all", kind: "int" }],
      rows: block.rows.map(([label, ...values]) => [label, values, ...values, values.reduce((a, b) => a + b, 0)]),
      caption: block.caption, note: block.note, sort: true,
    }),
    lines, matrix, history, chart, pages,
  };

  function lines(block) {
    const list = el("div"), cards = block.lines.map(one => [one, lineCard(one)]);
    const input = el("input", { type: "search", input: () => show() });
    const kind = el("select", { change: () => show() }, el("option", { value: "" }, "all kinds"),
      [...new Set(block.lines.map(one => one.sharing))].map(name => el("option", { value: name }, `${name} sharing`)));
    const said = el("span", { role: "status" });
    let most = 6;
    const more = el("button", { type: "button", click: () => { most = cards.length; show(); } }, "Show all");
    function show() {
      const wanted = input.value.toLowerCase();
      const kept = cards.filter(([one]) => (!kind.value || one.sharing === kind.value) &&
        [one.address, one.name, ...one.names, ...(one.code || []).flatMap(row => row.slice(4))].some(text => text.toLowerCase().includes(wanted)));
      put(list, kept.slice(0, most).map(([, card]) => card));
      said.textContent = `${Math.min(most, kept.length)} of ${cards.length} lines`;
      more.hidden = kept.length <= most;
      more.textContent = `Show ${kept.length - most} more`;
    }
    show();
    const controls = cards.length > 1 ? el("div", { class: "controls" }, el("label", {}, "Filter ", input), el("label", {}, "Kind ", kind), said) : null;
    return el("div", { class: "block" }, controls, list, more, note(block));
  }

  function lineCard(one) {
    let at = -1;
    const cells = [], said = el("p", { class: "said", role: "status" }, "");
    const about = k => `byte ${k}: ${threadName(one.bytes[k])}${one.names[k] ? `, ${one.names[k]}` : ""}`;
    function go(k) {
      if (at >= 0) cells[at].classList.remove("at");
      at = k;
      if (k >= 0) cells[k].classList.add("at");
      said.textContent = k < 0 ? "" : about(k);
    }
    const runs = [];
    one.bytes.forEach((thread, k) => {
      const last = runs[runs.length - 1];
      if (last && last[2] === thread) last[1] = k; else runs.push([k, k, thread]);
    });
    const grid = el("div", { class: "bytes", tabindex: "0", role: "group", "aria-label": `bytes of line ${one.address}; arrow keys go through them`,
      mouseleave: () => go(-1), blur: () => go(-1), focus: () => go(Math.max(at, 0)),
      keydown: event => {
        const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8, Home: -64, End: 64 }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        go(Math.min(63, Math.max(0, at + step)));
      } });
    for (let k = 0; k < 64; k += 8)
      grid.append(el("div", { class: "eight" }, one.bytes.slice(k, k + 8).map((thread, j) => {
        const made = el("span", { class: `byte ${threadClass(thread)}`, "aria-hidden": "true", mouseenter: () => go(k + j) }, letter(thread));
        cells.push(made);
        return made;
      })));
    const names = [];
    one.names.forEach((name, k) => {
      const last = names[names.length - 1], whole = name.replace(/\+\d+$/, "");
      if (last && last[2] === whole) last[1] = k; else names.push([k, k, whole]);
    });
    const span = ([from, to]) => (from === to ? `${from}` : `${from}–${to}`);
    const keys = names.some(n => n[2])
      ? names.filter(n => n[2]).map(n => [span(n), n[2], one.bytes.slice(n[0], n[1] + 1).find(t => t !== null) ?? null])
      : runs.filter(run => run[2] !== null).map(run => [span(run), threadName(run[2]), run[2]]);
    const list = el("ul", { class: "keys" }, keys.slice(0, 24).map(([where, what, thread]) => el("li", {}, thread === null ? null : swatch(threadClass(thread)),
      el("span", {}, `${where} `, el("code", {}, what), thread !== null && names.some(n => n[2]) ? ` ${threadName(thread)}` : ""))));
    const counts = one.counts ? `${int(one.counts[0])} loads, ${int(one.counts[1])} stores, ${int(one.counts[2])} atomics; ` : "";
    const columns = [["offset", "int"], ["thread", "int"], ["variable", "code"], ["sharing", "text"], ["loads", "int"], ["stores", "int"], ["HITM", "int"], ["cycles a load", "num"]];
    const code = [["HITM", "int"], ["share", "bar"], ["thread", "int"], ["code address", "code"], ["function", "text"], ["source", "text"]];
    const made = (of, rows) => table({ columns: of.map(([name, kind]) => ({ name, kind })), rows, caption: "", note: one.more ? `and ${int(one.more)} more` : "", sort: true });
    const offsets = el("details", { toggle: event => {
      if (event.target.open && event.target.children.length === 1) event.target.append(made(columns, one.offsets)), redraw();
    } }, el("summary", {}, "Offset by offset"));
    const below = one.code ? [made(code, one.code), source(one.source), one.apart ? el("p", { class: "said" }, "Apart: ", el("code", {}, one.apart)) : null] : one.offsets.length ? offsets : null;
    return el("article", { class: "cacheline" },
      el("header", {}, el("h3", {}, one.name || one.address), el("span", { class: `badge ${one.sharing === "true" ? "" : "false"}` }, one.says),
        el("span", {}, el("code", {}, one.address)), el("span", {}, `${int(one.hitm)} HITM; ${counts}${int(one.threads)} threads`)),
      grid, said, list, below);
  }
  const source = found => found ? el("pre", region(found[0]), found[3].map((text, k) =>
    el("span", { class: found[1] + k === found[2] ? "hot" : "" }, `${String(found[1] + k).padStart(5)}  ${text}\n`))) : null;

  function matrix(block) {
    const line = el("select", { change: show }, el("option", { value: "" }, "all lines"), block.lines.map((name, k) => el("option", { value: k }, name)));
    const kinds = [...new Set(block.cells.map(c => c[1]))].sort((a, b) => a - b);
    const request = el("select", { change: show }, el("option", { value: "" }, "all requests"), kinds.map(k => el("option", { value: k }, block.requests[k] || `request ${k}`)));
    const measure = el("select", { change: show }, ["requests", "cycles in all", "cycles each"].map((name, k) => el("option", { value: k }, name)));
    const where = scrolling("who asks whom", null), said = el("span", { role: "status" });
    const cores = [...new Set(block.cells.flatMap(c => [c[2], c[3]]))].filter(c => c >= 0).sort((a, b) => a - b);
    function show() {
      const counts = new Map(), cycles = new Map();
      let every = 0;
      for (const [l, r, from, to, n, spent] of block.cells) {
        if ((line.value !== "" && l !== Number(line.value)) || (request.value !== "" && r !== Number(request.value))) continue;
        const key = `${from} ${to}`;
        counts.set(key, (counts.get(key) || 0) + n);
        cycles.set(key, (cycles.get(key) || 0) + spent);
        every += n;
      }
      const value = key => [counts.get(key) || 0, cycles.get(key) || 0, counts.get(key) ? (cycles.get(key) || 0) / counts.get(key) : 0][Number(measure.value)];
      const most = Math.max(1, ...[...counts.keys()].map(value)), columns = [...cores, -1];
      const many = cores.length > 12;
      where.classList.toggle("tall", many);
      put(where, el("table", { class: many ? "matrix compact" : "matrix" }, el("caption", {}, "Requests, by who asks (row) and who answers (column)"),
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, many ? "asks" : "asks \\ answers"), columns.map(c => el("th", { scope: "col" }, c < 0 ? (many ? "LLC" : "LLC or memory") : many ? `${c}` : `core ${c}`)))),
        el("tbody", {}, cores.map(from => el("tr", {}, el("th", { scope: "row" }, `core ${from}`), columns.map(to => {
          const n = value(`${from} ${to}`);
          return el("td", { class: from === to ? "self" : n ? "" : "zero", ground: n ? `rgba(var(--heat), ${(0.04 + 0.3 * n / most).toFixed(3)})` : null }, n ? (many ? short(Math.round(n)) : int(Math.round(n))) : from === to ? "–" : "0");
        }))))));
      said.textContent = `${int(every)} requests`;
    }
    show();
    return el("div", { class: "block" }, el("div", { class: "controls" }, el("label", {}, "Line ", line), el("label", {}, "Request ", request), el("label", {}, "Show ", measure), said), where, note(block));
  }

  const STATES = { M: "modified", O: "owned", E: "exclusive", F: "forward", S: "shared", I: "no copy" };
  const ASKS = { GETS: "asks to read it (GETS)", GETX: "asks to write it (GETX)", UPGRADE: "has it and asks to write it (UPGRADE)", PUTX: "gives it back (PUTX)" };
  function history(block) {
    let line = block.lines[0], at = 0;
    const pick = el("select", { change: event => { line = block.lines[Number(event.target.value)]; at = 0; show(); } },
      block.lines.map((one, k) => el("option", { value: k }, `${one.name}: ${int(one.requests)} requests`)));
    const button = (name, to) => el("button", { type: "button", click: () => go(to()) }, name);
    const first = button("First", () => 0), back = button("Back", () => at - 1), forth = button("Forward", () => at + 1), last = button("Last", () => line.moments.length - 1);
    const slider = el("input", { type: "range", min: 0, value: 0, "aria-label": "request", input: event => go(Number(event.target.value)) });
    const stage = el("div", { class: "stage" }), lanes = el("div", { class: "lanes" }), said = el("p", { class: "said", role: "status" });
    const keys = el("ul", { class: "keys" });
    function go(k) { at = Math.min(line.moments.length - 1, Math.max(0, k)); show(); }
    function show() {
      const [cycle, core, request, supplier, latency] = line.moments[at];
      slider.max = line.moments.length - 1;
      slider.value = at;
      first.disabled = back.disabled = at === 0;
      last.disabled = forth.disabled = at === line.moments.length - 1;
      const answer = request === "PUTX" ? "" : supplier >= 0 ? ` Core ${supplier} answers.` : " The last-level cache or memory answers.";
      said.textContent = `Request ${at + 1} of ${line.moments.length}, cycle ${int(cycle)}: core ${core} ${ASKS[request] || request}.${answer}${latency ? ` ${int(latency)} cycles.` : ""}`;
      const used = [...new Set(line.moments.flatMap(m => [...m[5]]))];
      put(keys, [..."MOEFSI"].filter(s => used.includes(s)).map(s => el("li", {}, swatch(s), `${s} ${STATES[s]}`)));
      drawStage(stage.clientWidth || 600);
      drawLanes(lanes.clientWidth || 600);
    }
    function cores() {
      const all = [...Array(block.cores).keys()];
      return block.cores <= 16 ? all : all.filter(c => line.moments.some(m => m[1] === c || m[3] === c || m[5][c] !== "I"));
    }
    function drawStage(width) {
      const [, core, request, supplier, , states] = line.moments[at], shown = cores();
      const across = Math.max(1, Math.min(shown.length, Math.floor(width / 85))), rows = Math.ceil(shown.length / across);
      const place = c => { const k = shown.indexOf(c); return [(k % across) * 85 + 42.5, 74 + Math.floor(k / across) * 104]; };
      const middle = across * 42.5, made = svg("svg", { width: across * 85, height: 20 + 46 + rows * 104, role: "img", "aria-label": `the cores' states: ${shown.map(c => `core ${c} ${STATES[states[c]]}`).join(", ")}` });
      made.append(svg("defs", {}, svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 6, markerHeight: 6, orient: "auto" }, svg("path", { d: "M0,0 L8,4 L0,8 z", class: "head" }))));
      made.append(svg("rect", { x: Math.max(0, middle - 80), y: 4, width: Math.min(160, across * 85), height: 26, rx: 4, class: "box fill I" }), svg("text", { x: middle, y: 21, "text-anchor": "middle", class: "soft" }, "LLC and memory"));
      for (const c of shown) {
        const [x, y] = place(c), state = states[c];
        made.append(svg("rect", { x: x - 34, y, width: 68, height: 52, rx: 5, class: `box fill ${state}${c === core ? " asks" : ""}` }),
          svg("text", { x, y: y + 33, "text-anchor": "middle", class: state === "I" ? "soft big" : "on big" }, state),
          svg("text", { x, y: y + 70, "text-anchor": "middle", class: c === core ? "" : "soft" }, `core ${c}${c === core ? " asks" : ""}`));
      }
      const [x, y] = place(core);
      if (supplier >= 0 && shown.includes(supplier) && supplier !== core) {
        const [sx, sy] = place(supplier), up = y - 26;
        const curve = `M${sx},${sy - 2} C${sx},${up} ${x},${up} ${x},${y - 4}`, below = `M${sx},${sy + 76} L${x},${y - 4}`, above = `M${sx},${sy - 2} L${x},${y + 76}`;
        made.append(svg("path", { d: sy === y ? curve : sy < y ? below : above, class: "arrow", "marker-end": "url(#tip)" }));
      } else if (supplier < 0) {
        const gives = request === "PUTX";
        made.append(svg("path", { d: gives ? `M${x},${y - 2} L${middle},33` : `M${middle},31 L${x},${y - 4}`, class: "arrow", "marker-end": "url(#tip)" }));
      }
      put(stage, made);
    }
    function drawLanes(width) {
      const shown = cores(), n = line.moments.length, left = 58, high = 13, each = Math.max(2, (width - left - 6) / n);
      const made = svg("svg", { width: left + each * n + 4, height: shown.length * (high + 2) + 16, "aria-hidden": "true", click: event => {
        const box = made.getBoundingClientRect();
        go(Math.floor(((event.clientX - box.left) * (left + each * n + 4) / box.width - left) / each));
      } });
      shown.forEach((c, row) => {
        made.append(svg("text", { x: 0, y: row * (high + 2) + high - 2, class: "soft" }, `core ${c}`));
        for (let i = 0; i < n;) {
          let j = i;
          while (j < n && line.moments[j][5][c] === line.moments[i][5][c]) j++;
          made.append(svg("rect", { x: left + i * each, y: row * (high + 2), width: (j - i) * each, height: high, class: `fill ${line.moments[i][5][c]}` }));
          i = j;
        }
      });
      made.append(svg("path", { d: `M${left + (at + 0.5) * each},0 V${shown.length * (high + 2)}`, class: "arrow" }));
      put(lanes, el("div", { class: "scroll" }, made));
    }
    const whole = el("div", { class: "block", role: "group", "aria-label": "a line's history", tabindex: "0", keydown: event => {
      if (event.target !== whole) return;
      const step = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      go(at + step);
    } }, el("h3", {}, "One line's history"), el("div", { class: "controls" }, el("label", {}, "Line ", pick), first, back, slider, forth, last), said, stage, lanes, keys, note(block));
    watch(whole, show);
    return whole;
  }

  function chart(block) {
    const x = block.x, end = x.length - 1, whole = [x[0], x[end]];
    let view = whole.slice(), cursor = null, drag = null;
    const panels = block.panels.map((panel, k) => panelOf(panel, k === block.panels.length - 1)), lined = block.panels.filter(p => !p.lanes);
    const said = el("span", { role: "status" });
    const reset = el("button", { type: "button", click: () => zoom(whole) }, "All");
    const buttons = [["Zoom in", () => scale(0.5)], ["Zoom out", () => scale(2)], ["Earlier", () => shift(-0.4)], ["Later", () => shift(0.4)]];
    const made = el("div", { class: "chart", tabindex: "0", role: "group", "aria-label": `${block.caption}; plus and minus zoom, arrow keys go through the samples, 0 shows all`,
      keydown: event => {
        if (event.target !== made) return;
        const act = { "+": () => scale(0.5), "=": () => scale(0.5), "-": () => scale(2), 0: () => zoom(whole), Escape: () => zoom(whole), ArrowRight: () => step(1), ArrowLeft: () => step(-1), Home: () => step(-1e9), End: () => step(1e9) }[event.key];
        if (!act) return;
        event.preventDefault();
        act();
      }, pointerleave: () => { cursor = null; drag = null; show(); } }, panels.map(p => p.element));
    function near(moment) {
      let low = 0, high = end;
      while (low < high) { const mid = (low + high + 1) >> 1; if (x[mid] <= moment) low = mid; else high = mid - 1; }
      return low < end && moment - x[low] > x[low + 1] - moment ? low + 1 : low;
    }
    function zoom([from, to]) {
      const least = (whole[1] - whole[0]) / 1e5, span = Math.max(to - from, least);
      from = Math.max(whole[0], Math.min(from, whole[1] - span));
      view = [from, Math.min(whole[1], from + span)];
      show();
    }
    function scale(by) {
      const middle = cursor === null ? (view[0] + view[1]) / 2 : Math.min(view[1], Math.max(view[0], x[cursor])), half = (view[1] - view[0]) * by / 2;
      zoom([middle - half, middle + half]);
    }
    function shift(by) { const span = view[1] - view[0]; zoom([view[0] + by * span, view[1] + by * span]); }
    function step(by) {
      cursor = Math.min(end, Math.max(0, (cursor === null ? near(view[0]) : cursor) + by));
      if (x[cursor] < view[0] || x[cursor] > view[1]) { const span = view[1] - view[0]; zoom([x[cursor] - span / 2, x[cursor] + span / 2]); }
      show();
    }
    function panelOf(panel, lowest) {
      if (panel.lanes) return lanesOf(panel);
      const where = el("div"), fields = [];
      const legend = el("div", { class: "legend" }, panel.series.map((one, k) => {
        const field = el("b");
        fields.push(field);
        return el("button", { type: "button", "aria-pressed": String(one.shown), click: event => {
          one.shown = !one.shown;
          event.currentTarget.setAttribute("aria-pressed", String(one.shown));
          show();
        } }, swatch(colour(k)), one.name, field);
      }));
      const element = el("div", { class: "panel" }, el("h3", {}, panel.title + (panel.unit === "per thousand" ? "" : panel.unit === "bytes" ? "" : "")), legend, where);
      return { element, where, draw: width => drawPanel(panel, where, width, lowest, fields) };
    }
    // A lane a row: what it did from when to when; pieces narrower than a pixel are drawn a pixel wide.
    function lanesOf(panel) {
      const where = el("div"), said = el("p", { class: "said", role: "status" });
      const keys = el("ul", { class: "keys" }, panel.kinds.map((name, k) => el("li", {}, swatch(colour(k)), name)));
      const element = el("div", { class: "panel" }, el("h3", {}, panel.title), keys, where, said, note(panel));
      const lane = (pieces, moment) => { let low = 0, high = pieces.length; while (low < high) { const mid = (low + high) >> 1; if (pieces[mid][1] < moment) low = mid + 1; else high = mid; } return low; };
      function draw(width) {
        const left = 70, right = 10, high = 16, each = 20, wide = Math.max(120, width - left - right), per = (view[1] - view[0]) / wide || 1;
        const px = moment => left + (moment - view[0]) / per;
        const made = svg("svg", { width, height: panel.lanes.length * each + 6, role: "img", "aria-label": `${panel.title}, ${seconds(view[0])} to ${seconds(view[1])}: ${panel.lanes.map(([name, pieces]) => `${name} ${pct(pieces.reduce((sum, [a, b]) => sum + Math.max(0, Math.min(b, view[1]) - Math.max(a, view[0])), 0) / (view[1] - view[0] || 1))}`).join(", ")}` });
        panel.lanes.forEach(([name, pieces], row) => {
          const y = row * each + 2, paths = panel.kinds.map(() => "");
          made.append(svg("text", { x: left - 8, y: y + high - 4, "text-anchor": "end", class: "soft" }, name), svg("rect", { x: left, y, width: wide, height: high, class: "fill I" }));
          for (let k = lane(pieces, view[0]); k < pieces.length && pieces[k][0] <= view[1]; k++) {
            const from = Math.max(left, px(pieces[k][0])), to = Math.min(left + wide, px(pieces[k][1]));
            paths[pieces[k][2]] += `M${from.toFixed(1)},${y}h${Math.max(1, to - from).toFixed(1)}v${high}H${from.toFixed(1)}z`;
          }
          paths.forEach((d, k) => { if (d) made.append(svg("path", { d, class: `fill ${colour(k)}` })); });
        });
        if (cursor !== null && x[cursor] >= view[0] && x[cursor] <= view[1]) {
          made.append(svg("path", { d: `M${px(x[cursor])},0 V${panel.lanes.length * each}`, class: "cursor" }));
          said.textContent = panel.lanes.map(([name, pieces]) => { const k = lane(pieces, x[cursor]); return `${name}: ${k < pieces.length && pieces[k][0] <= x[cursor] ? panel.kinds[pieces[k][2]] : "–"}`; }).join("; ");
        } else said.textContent = "";
        put(where, made);
      }
      return { element, draw };
    }
    function drawPanel(panel, where, width, lowest, fields) {
      const left = 70, right = 10, high = 132, wide = Math.max(120, width - left - right);
      const px = moment => left + wide * (moment - view[0]) / (view[1] - view[0] || 1);
      const from = Math.max(0, near(view[0]) - 1), to = Math.min(end, near(view[1]) + 1);
      let most = 0, least = 0;
      for (const one of panel.series) if (one.shown) for (let i = from; i <= to; i++) { const v = one.values[i]; if (v !== null) { if (v > most) most = v; if (v < least) least = v; } }
      const [top, marks] = nice(most, panel.unit), py = v => 8 + high * (1 - (v - least) / (top - least || 1));
      const made = svg("svg", { width, height: high + (lowest ? 40 : 18), role: "img", "aria-label": `${panel.title}, ${seconds(view[0])} to ${seconds(view[1])}` });
      const clip = fresh();
      made.append(svg("defs", {}, svg("clipPath", { id: clip }, svg("rect", { x: left, y: 0, width: wide, height: high + 10 }))));
      for (const mark of marks) made.append(svg("path", { d: `M${left},${py(mark)} H${left + wide}`, class: mark ? "grid" : "axis" }), svg("text", { x: left - 8, y: py(mark) + 4, "text-anchor": "end", class: "soft" }, axis[panel.unit](mark)));
      for (const [a, b] of block.spans) if (b >= view[0] && a <= view[1]) made.append(svg("rect", { x: Math.max(left, px(a)), y: 8, width: Math.max(1, Math.min(left + wide, px(b)) - Math.max(left, px(a))), height: high, class: "span" }));
      panel.series.forEach((one, k) => {
        if (!one.shown) return;
        const steps = panel.unit !== "per thousand";
        let path = "", pen = false, before = 0;
        for (let i = from; i <= to; i++) {
          const v = one.values[i];
          if (v === null) { if (steps) pen = false; continue; }
          const X = px(x[i]).toFixed(1), Y = py(v).toFixed(1);
          path += pen ? (steps && Y !== before ? `H${X}V${Y}` : `L${X},${Y}`) : `M${X},${Y}`;
          pen = true;
          before = Y;
        }
        made.append(svg("path", { d: path, class: `stroke ${colour(k)}`, "stroke-width": 1.6, "stroke-linejoin": "round", "clip-path": `url(#${clip})` }));
      });
      if (lowest) for (const mark of ticks(view[0], view[1], Math.max(2, Math.floor(wide / 80)))) made.append(svg("text", { x: px(mark), y: high + 27, "text-anchor": px(mark) > left + wide - 30 ? "end" : "middle", class: "soft" }, seconds(mark, view[1] - view[0])), svg("path", { d: `M${px(mark)},${high + 8} v5`, class: "axis" }));
      if (cursor !== null && x[cursor] >= view[0] && x[cursor] <= view[1]) made.append(svg("path", { d: `M${px(x[cursor])},6 V${high + 8}`, class: "cursor" }));
      if (drag) made.append(svg("rect", { x: px(Math.min(...drag)), y: 8, width: Math.abs(px(drag[1]) - px(drag[0])), height: high, class: "drag" }));
      panel.series.forEach((one, k) => { fields[k].textContent = cursor === null || one.values[cursor] === null ? "" : amount[panel.unit](one.values[cursor]); });
      const moment = event => { const box = made.getBoundingClientRect(); return Math.min(view[1], Math.max(view[0], view[0] + ((event.clientX - box.left) * width / box.width - left) / wide * (view[1] - view[0]))); };
      where.onpointermove = event => { const now = moment(event); cursor = near(now); if (drag) drag[1] = now; show(); };
      where.onpointerdown = event => { if (event.button === 0) drag = [moment(event), moment(event)]; };
      where.onpointerup = () => { const done = drag; drag = null; if (done && Math.abs(px(done[1]) - px(done[0])) > 6) zoom([Math.min(...done), Math.max(...done)]); else show(); };
      where.ondblclick = () => zoom(whole);
      put(where, made);
    }
    function nice(most, unit) {
      if (!most) return [1, [0]];
      const base = unit === "bytes" ? 2 ** (10 * Math.floor(Math.log2(most) / 10)) : 1, scaled = most / base;
      const power = 10 ** Math.floor(Math.log10(scaled)), each = [0.2, 0.25, 0.5, 1, 2, 2.5, 5].map(k => k * power).find(k => scaled / k <= 4) * base;
      const marks = [];
      for (let k = 0; k * each < most * 1.0001; k++) marks.push(k * each);
      if (marks[marks.length - 1] < most * 0.98) marks.push(marks.length * each);
      return [Math.max(most, marks[marks.length - 1]), marks];
    }
    function ticks(from, to, n) {
      const span = to - from || 1, rough = span / n, power = 10 ** Math.floor(Math.log10(rough)), each = [1, 2, 5, 10].map(k => k * power).find(k => k >= rough);
      const marks = [];
      for (let k = Math.ceil(from / each); k * each <= to && marks.length < 40; k++) marks.push(k * each);
      return marks;
    }
    let width = 0;
    function show() {
      if (!width) return;
      reset.disabled = view[0] === whole[0] && view[1] === whole[1];
      said.textContent = `${seconds(view[0])} to ${seconds(view[1])}${cursor === null ? "" : `; at ${seconds(x[cursor])}`}`;
      for (const p of panels) p.draw(width);
    }
    watch(made, now => { width = now; show(); });
    const spans = block.spans.length ? el("p", { class: "note" }, `Shaded: ${[...new Set(block.spans.map(s => s[2]))].join(", ")}.`) : null;
    const numbers = el("details", { toggle: event => {
      if (!event.target.open || event.target.children.length > 1) return;
      const every = Math.max(1, Math.ceil(x.length / 40)), kept = [...x.keys()].filter(i => i % every === 0 || i === end);
      const columns = [{ name: "time", kind: "text" }], all = lined.flatMap(p => p.series.map(s => [p, s]));
      for (const [p, s] of all) columns.push({ name: s.name, kind: p.unit === "bytes" ? "bytes" : "num" });
      event.target.append(table({ columns, rows: kept.map(i => [seconds(x[i]), ...all.map(([, s]) => s.values[i])]), caption: block.caption, sort: false }));
      redraw();
    } }, el("summary", {}, "The numbers"));
    return el("div", { class: "block" }, el("h3", {}, block.caption), el("div", { class: "controls" }, buttons.map(([name, act]) => el("button", { type: "button", click: act }, name)), reset, said), made, spans, note(block), numbers);
  }

  function pages(block) {
    const holders = block.areas.map(area => {
      const across = block.across, total = area.runs.reduce((a, [n]) => a + n, 0), rows = Math.ceil(total / across), side = 8;
      const made = svg("svg", { class: "pages", viewBox: `0 0 ${across * side} ${rows * side}`, width: across * side, role: "img", "aria-label": `${area.name}: ${block.kinds.map((k, i) => [k, area.runs.filter(r => r[1] === i).reduce((a, [n]) => a + n, 0)]).filter(p => p[1]).map(([k, n]) => `${int(n)} pages ${k}`).join(", ")}` });
      const paths = block.kinds.map(() => "");
      let at = 0;
      for (const [n, kind] of area.runs) {
        let left = n;
        while (left > 0) {
          const column = at % across, part = Math.min(left, across - column);
          paths[kind] += `M${column * side},${Math.floor(at / across) * side}h${part * side - 1}v${side - 1}h-${part * side - 1}z`;
          at += part;
          left -= part;
        }
      }
      paths.forEach((d, k) => { if (d) made.append(svg("path", { d, class: `fill ${block.colours[k]}` })); });
      return el("div", { class: "block" }, el("h3", {}, area.name), scrolling(area.name, made));
    });
    return el("div", { class: "block" }, el("ul", { class: "keys" }, block.kinds.map((name, k) => el("li", {}, swatch(block.colours[k]), name))), holders, note(block));
  }

  // ---- the page --------------------------------------------------------------------------------------------------------
  function copying(text) {
    const made = el("button", { type: "button", click: () => {
      const done = () => { made.textContent = "Copied"; setTimeout(() => { made.textContent = "Copy"; }, 1500); };
      if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => choose());
      else choose();
    } }, "Copy");
    function choose() { getSelection().selectAllChildren(made.previousSibling); }
    return made;
  }
  const head = el("header", {}, el("h1", {}, data.title), data.headline ? el("p", { class: "headline" }, data.headline) : null, data.subtitle ? el("p", { class: "subtitle" }, data.subtitle) : null,
    data.command ? el("p", { class: "command" }, el("code", {}, data.command), copying(data.command)) : null,
    data.links.length ? el("p", {}, data.links.map((link, k) => [k ? " · " : "", beside(link)])) : null);
  const links = data.sections.map(s => el("a", { href: `#${s.id}` }, s.title));
  const nav = data.sections.length > 1 ? el("nav", { "aria-label": "sections" }, el("ul", {}, links.map(link => el("li", {}, link)))) : null;
  const main = el("main", {}, data.sections.map(s => el("section", { id: s.id, "aria-labelledby": `h-${s.id}` }, el("h2", { id: `h-${s.id}` }, s.title),
    s.lead ? el("p", { class: "lead" }, s.lead) : null, s.blocks.map(block => draw[block.kind](block)))));
  const foot = el("footer", {}, el("h2", {}, "How it was made"), el("dl", { class: "about" }, data.about.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))), el("p", { class: "note" }, `hwmem ${data.version}`));
  document.body.append(head, ...(nav ? [nav] : []), main, foot);
  redraw();
  addEventListener("resize", redraw);
  addEventListener("beforeprint", () => { for (const one of document.querySelectorAll("main details")) one.open = one.open || Boolean(one.querySelector("pre")) === false; redraw(); });
  const seen = new IntersectionObserver(entries => {
    for (const entry of entries) if (entry.isIntersecting) for (const link of links) {
      if (link.hash === `#${entry.target.id}`) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const s of main.children) seen.observe(s);
})();
