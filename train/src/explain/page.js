// What is drawn and listed: `state` holds what is chosen, `shown` what follows from it, `show()` puts it on the page.

const page = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const SCALE = page.scale.match(/../g).map((byte) => parseInt(byte, 16)); // 256 colours, three bytes each
const STRENGTH = 0.75; // share of the map's colour; the rest is the picture in grey
const MOST_STEPS = 10; // one further on the slider stands for infinitely many

const state = { block: 0, head: -1, token: 0, pointer: null, direction: "rd", preset: "", alpha: 0, steps: 0 };
let block; // the chosen block's numbers
let shown;
let sources; // the pictures, as <img>

// ---------------------------------------------------------------- what follows from the choice

const grid = () => page.blocks[state.block].grid;
const place = (token) => `row ${Math.floor(token / grid()[1])}, column ${token % grid()[1]}`;
const nameOf = (m) => page.pictures[page.blocks[state.block].pair[m === "r" ? 0 : 1]].name;
const other = (m) => (m === "r" ? "d" : "r");
const stepsName = (steps) => (steps === Infinity ? "∞" : String(steps));
const chosenHeads = () => (state.head < 0 ? [...Array(block.heads).keys()] : [state.head]);

/** The mean over the chosen heads. */
function meanRow(row) {
  const heads = chosenHeads();
  const total = new Float64Array(block.n);
  for (const h of heads) addTo(total, 1 / heads.length, row(h));
  return total;
}

function compute() {
  const { token: i, direction, preset } = state;
  const [a, b] = direction;
  const after = (steps) => meanRow((h) => block.diffused(h, direction, i, { ...state, steps }));
  const steps = state.steps === Infinity ? [0, 1, 2, 3, 4, 5, Infinity] : [...Array(state.steps + 1).keys()];
  const frames = steps.map((t) => ({ steps: t, row: after(t) }));
  const how = preset === "official" ? "who attends to it" : "as P";
  const maps = [
    { id: "p_r", sign: "P<sub>r</sub>", text: `within ${nameOf("r")}`, row: meanRow((h) => block.attention(h, "r", "r", i)) },
    { id: "p_d", sign: "P<sub>d</sub>", text: `within ${nameOf("d")}`, row: meanRow((h) => block.attention(h, "d", "d", i)) },
    { id: "s_r", sign: "S<sub>r</sub>", text: how, row: meanRow((h) => block.affinityRow(h, "r", i, preset)) },
    { id: "s_d", sign: "S<sub>d</sub>", text: how, row: meanRow((h) => block.affinityRow(h, "d", i, preset)) },
    { id: "ca", sign: `CA<sub>${direction}</sub>`, text: `softmax(Q<sub>${a}</sub>·K<sub>${b}</sub>ᵀ/√d)`, row: meanRow((h) => block.attention(h, a, b, i)) },
    { id: "x", sign: `X<sub>${direction}</sub>`, text: `CDA after ${stepsName(state.steps)} step${state.steps === 1 ? "" : "s"}`, row: frames.at(-1).row },
  ];
  const source = ([, m]) => m; // rd weights V_d, dr weights V_r
  const contributions = {
    CDA: block.contributions(chosenHeads(), i, (h, ab) => block.diffused(h, ab, i, state),
      preset === "official" ? source : ([m]) => m),
    CA: block.contributions(chosenHeads(), i, (h, ab) => block.attention(h, ab[0], ab[1], i), source),
  };
  return { maps, frames, contributions };
}

// ---------------------------------------------------------------- pictures

/** A canvas of a picture's shape, `width` pixels wide, that chooses tokens. */
function tokenCanvas(picture, width) {
  const canvas = document.createElement("canvas");
  const image = sources[picture];
  canvas.width = width;
  canvas.height = Math.round(width * image.naturalHeight / image.naturalWidth);
  const tokenAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const [rows, columns] = grid();
    const cell = (share, cells) => Math.min(cells - 1, Math.max(0, Math.floor(share * cells)));
    return cell((event.clientY - box.top) / box.height, rows) * columns + cell((event.clientX - box.left) / box.width, columns);
  };
  canvas.addEventListener("click", (event) => choose({ token: tokenAt(event) }));
  canvas.addEventListener("mousemove", (event) => point(tokenAt(event)));
  canvas.addEventListener("mouseleave", () => point(null));
  return canvas;
}

const edges = (index, cells, pixels) => [Math.floor(index * pixels / cells), Math.floor((index + 1) * pixels / cells)];

/** A frame around a token's cell, light and dark, so that one of them stands out; dashed for the pointer. */
function frame(canvas, token, dashed) {
  const [rows, columns] = grid();
  const [left, right] = edges(token % columns, columns, canvas.width);
  const [top, bottom] = edges(Math.floor(token / columns), rows, canvas.height);
  const pen = canvas.getContext("2d");
  for (const [colour, out, dash] of [["#000", 2.5, []], ["#fff", 1, dashed ? [4, 4] : []]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = dashed ? 1.5 : 2.5;
    pen.setLineDash(dash);
    pen.strokeRect(left - (dashed ? 0 : out), top - (dashed ? 0 : out), right - left + (dashed ? 0 : 2 * out), bottom - top + (dashed ? 0 : 2 * out));
  }
}

function frames(canvas) {
  if (state.pointer !== null && state.pointer !== state.token) frame(canvas, state.pointer, true);
  frame(canvas, state.token, false);
}

/** The picture with the token grid on it. */
function drawPicture(canvas, picture) {
  const pen = canvas.getContext("2d");
  pen.drawImage(sources[picture], 0, 0, canvas.width, canvas.height);
  pen.setLineDash([]);
  pen.lineWidth = 1;
  pen.strokeStyle = "rgba(255, 255, 255, 0.35)";
  const [rows, columns] = grid();
  for (let row = 1; row < rows; row++) pen.strokeRect(-9, edges(row, rows, canvas.height)[0] + 0.5, canvas.width + 18, 0);
  for (let column = 1; column < columns; column++) pen.strokeRect(edges(column, columns, canvas.width)[0] + 0.5, -9, 0, canvas.height + 18);
  frames(canvas);
}

/** A row of a map over the picture in grey, dark for its smallest value, light for its largest. */
function drawHeat(canvas, picture, row) {
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(sources[picture], 0, 0, canvas.width, canvas.height);
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height);
  const { low, high } = range(row);
  const [rows, columns] = grid();
  for (let y = 0, at = 0; y < canvas.height; y++) {
    const first = Math.floor(y * rows / canvas.height) * columns;
    for (let x = 0; x < canvas.width; x++, at += 4) {
      const value = row[first + Math.floor(x * columns / canvas.width)];
      const colour = 3 * Math.round(255 * (value - low) / (high > low ? high - low : 1));
      const grey = 0.299 * pixels.data[at] + 0.587 * pixels.data[at + 1] + 0.114 * pixels.data[at + 2];
      for (let c = 0; c < 3; c++) pixels.data[at + c] = STRENGTH * SCALE[colour + c] + (1 - STRENGTH) * grey;
    }
  }
  pen.putImageData(pixels, 0, 0);
  frames(canvas);
}

function range(row) {
  let [low, high, at] = [Infinity, -Infinity, 0];
  row.forEach((value, j) => {
    low = Math.min(low, value);
    if (value > high) [high, at] = [value, j];
  });
  return { low, high, at };
}

// ---------------------------------------------------------------- the page

const digits = (value) => (value === 0 ? "0" : value.toPrecision(3).replace(/e-(\d)$/, "e−$1"));
const element = (html) => Object.assign(document.createElement("template"), { innerHTML: html.trim() }).content.firstChild;

/** A map over both pictures, or over some of them, with its scale. */
function tile(title, row, pictures, width) {
  const { low, high, at } = range(row);
  const figure = element(`<figure><figcaption>${title}</figcaption><div class="pair"></div>
    <div class="legend"><span>${digits(low)}</span><i></i><span>${digits(high)}</span></div></figure>`);
  for (const picture of pictures) {
    const canvas = tokenCanvas(picture, width);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label",
      `${figure.firstChild.textContent}, over ${page.pictures[picture].name}: largest ${digits(high)} at ${place(at)}`);
    drawHeat(canvas, picture, row);
    figure.querySelector(".pair").append(canvas);
  }
  return figure;
}

function showMaps() {
  const pair = page.blocks[state.block].pair;
  byId("maps").replaceChildren(...shown.maps.map((map) => {
    const figure = tile(`<b>${map.sign}</b> ${map.text}`, map.row, pair, 260);
    figure.id = "map-" + map.id;
    return figure;
  }));
  const values = state.preset === "official" ? state.direction[1] : state.direction[0];
  byId("strip-title").innerHTML = `Diffusion of X<sub>${state.direction}</sub>, step by step, over ${nameOf(values)}, whose V it weights`;
  const picture = pair[values === "r" ? 0 : 1];
  byId("strip").replaceChildren(...shown.frames.map((frame) => tile(`T = ${stepsName(frame.steps)}`, frame.row, [picture], 160)));
}

function showPictures() {
  document.querySelectorAll("#pictures canvas.grid").forEach((canvas) => {
    drawPicture(canvas, Number(canvas.dataset.picture));
    canvas.setAttribute("aria-label", `${page.pictures[canvas.dataset.picture].name}: token ${place(state.token)}`);
  });
  const saliency = document.querySelector("#pictures canvas.saliency");
  if (saliency) drawPicture(saliency, page.pictures.length);
}

/** The mean of the saliency map over the token's cell. */
function cellSaliency() {
  const image = sources[page.pictures.length];
  const [rows, columns] = grid();
  const [left, right] = edges(state.token % columns, columns, image.naturalWidth);
  const [top, bottom] = edges(Math.floor(state.token / columns), rows, image.naturalHeight);
  const [width, height] = [right - left, bottom - top];
  const pen = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  pen.drawImage(image, left, top, width, height, 0, 0, width, height);
  const reds = pen.getImageData(0, 0, width, height).data.filter((_, at) => at % 4 === 0);
  return sum(reds) / (255 * width * height);
}

function showNumbers() {
  const j = state.pointer ?? state.token;
  byId("where").textContent = `Token ${state.token}: ${place(state.token)} of ${grid().join(" × ")} tokens, ` +
    (state.head < 0 ? `mean of ${block.heads} heads.` : `head ${state.head}.`);
  const saliency = page.saliency ? `Mean saliency of the token's cell: ${cellSaliency().toFixed(2)}. ` : "";
  byId("prediction").textContent = saliency + page.prediction;
  byId("pointed").textContent = `at ${place(j).replace("row ", "").replace(" column ", " ")}`;
  byId("values").replaceChildren(...shown.maps.map((map) => {
    const { high, at } = range(map.row);
    const cells = [digits(map.row[j]), `${digits(high)} at ${Math.floor(at / grid()[1])}, ${at % grid()[1]}`, digits(sum(map.row))];
    return element(`<table><tbody><tr><th scope="row">${map.sign}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr></tbody></table>`).rows[0];
  }));
  byId("shares").replaceChildren(...Object.entries(shown.contributions).flatMap(([name, { r, d }]) => {
    const share = 100 * norm(r) / (norm(r) + norm(d));
    const [percent, rest] = [share, 100 - share].map((value) => value.toFixed(0) + " %");
    const table = element(`<table><tbody><tr><th scope="row">${name}</th><td>${digits(norm(r))} (${percent})</td>
      <td>${digits(norm(d))} (${rest})</td><td>${digits(norm(addTo(r.slice(), 1, d)))}</td></tr>
      <tr><td colspan="4"><div class="bar" role="img" aria-label="${name}: ${percent} ${nameOf("r")}, ${rest} ${nameOf("d")}">
      <b style="width: ${share}%">${share > 20 ? nameOf("r") : ""}</b><i>${share < 80 ? nameOf("d") : ""}</i></div></td></tr></tbody></table>`);
    return [...table.rows];
  }));
}

function showControls() {
  byId("block").value = state.block;
  byId("head").value = state.head;
  byId("alpha").value = state.alpha;
  byId("alpha-value").textContent = state.alpha.toFixed(2);
  byId("steps").value = state.steps === Infinity ? MOST_STEPS + 1 : state.steps;
  byId("steps-value").textContent = stepsName(state.steps);
  for (const name of ["direction", "preset"]) {
    document.querySelectorAll(`input[name=${name}]`).forEach((input) => { input.checked = input.value === state[name]; });
  }
}

function show() {
  shown = compute();
  showControls();
  showPictures();
  showMaps();
  showNumbers();
}

/** Changes what is chosen. */
function choose(change) {
  if (change.block !== undefined) {
    const [rows, columns] = grid();
    const [down, right] = [(Math.floor(state.token / columns) + 0.5) / rows, (state.token % columns + 0.5) / columns];
    Object.assign(state, change, { pointer: null });
    openBlock();
    change = { token: Math.floor(down * grid()[0]) * grid()[1] + Math.floor(right * grid()[1]) }; // the same place
  }
  Object.assign(state, change);
  if (state.steps === Infinity) state.alpha = Math.min(state.alpha, 0.99); // there is no fixed point at α = 1
  show();
}

/** Moves the pointer, whose values are listed. */
function point(token) {
  if (token === state.pointer) return;
  state.pointer = token;
  showPictures();
  showNumbers();
}

function openBlock() {
  const { heads, note, pair } = page.blocks[state.block];
  block = new Block(page.blocks[state.block], page.network);
  const options = [[-1, `mean of ${heads}`], ...Array.from({ length: heads }, (_, h) => [h, `head ${h}`])];
  byId("head").replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  if (state.head >= heads) state.head = -1;
  byId("note").textContent = note;
  document.querySelectorAll("#pictures figure").forEach((figure) => figure.remove());
  pair.forEach((picture, side) => byId("pictures").append(bigPicture(picture, `${page.pictures[picture].name} (${"rd"[side]})`, true)));
  if (page.saliency) byId("pictures").append(bigPicture(page.pictures.length, "Prediction: saliency, white = 1", false));
}

function bigPicture(picture, caption, focusable) {
  const figure = element("<figure><figcaption></figcaption></figure>");
  figure.firstChild.textContent = caption;
  const canvas = tokenCanvas(picture, 440);
  canvas.className = focusable ? "grid" : "saliency";
  canvas.dataset.picture = picture;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", caption);
  if (focusable) {
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.addEventListener("keydown", onKey);
  }
  figure.append(canvas);
  return figure;
}

function onKey(event) {
  const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (!move) return;
  event.preventDefault();
  const [rows, columns] = grid();
  const from = event.shiftKey ? state.pointer ?? state.token : state.token;
  const row = Math.floor(from / columns) + move[0];
  const column = from % columns + move[1];
  if (row < 0 || row >= rows || column < 0 || column >= columns) return;
  if (event.shiftKey) point(row * columns + column);
  else choose({ token: row * columns + column });
}

/** The network's own settings. */
function trained() {
  const { preset, alpha, steps } = page.network;
  return { preset, alpha, steps: steps === "inf" ? Infinity : steps };
}

function start() {
  sources = [...document.querySelectorAll("img.source")];
  byId("about").textContent = `${page.title} · fusion = ${page.fusion}, ` +
    `${page.network.preset}, α = ${page.network.alpha}, T = ${page.network.steps === "inf" ? "∞" : page.network.steps}`;
  byId("source").innerHTML = (page.network.affinity === "cross" ? "Y is the CA map" : "Y = P<sub>r</sub> + P<sub>d</sub>") +
    `, and it starts from X = ${page.network.init === "affinity" ? "Y" : "I"}.`;
  byId("block").replaceChildren(...page.blocks.map((data, at) => new Option(data.name, at)));
  const stops = [...Array(17).keys()].map((i) => `rgb(${SCALE.slice(3 * Math.round(i * 255 / 16)).slice(0, 3)})`);
  document.documentElement.style.setProperty("--scale", `linear-gradient(to right, ${stops})`);

  byId("block").addEventListener("change", (event) => choose({ block: Number(event.target.value) }));
  byId("head").addEventListener("change", (event) => choose({ head: Number(event.target.value) }));
  byId("alpha").addEventListener("input", (event) => choose({ alpha: Number(event.target.value) }));
  byId("steps").addEventListener("input", (event) => {
    const steps = Number(event.target.value);
    choose({ steps: steps > MOST_STEPS ? Infinity : steps });
  });
  for (const name of ["direction", "preset"]) {
    document.querySelectorAll(`input[name=${name}]`).forEach((input) => {
      input.addEventListener("change", () => choose({ [name]: input.value }));
    });
  }
  byId("trained").addEventListener("click", () => choose(trained()));
  openBlock();
  choose({ ...trained(), token: page.token });
}

window.addEventListener("load", start); // once the pictures are there
