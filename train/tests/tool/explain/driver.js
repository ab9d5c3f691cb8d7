// Uses the page as a reader does, by events on what is there, and writes down what it shows after each action.

function act([kind, ...what]) {
  const canvas = document.querySelector("#pictures canvas.grid");
  const fire = (target, event) => target.dispatchEvent(event);
  const at = ([row, column]) => {
    const box = canvas.getBoundingClientRect();
    const [rows, columns] = grid();
    const [clientX, clientY] = [box.left + (column + 0.5) / columns * box.width, box.top + (row + 0.5) / rows * box.height];
    return { clientX, clientY, bubbles: true };
  };
  if (kind === "click") fire(canvas, new MouseEvent("click", at(what)));
  if (kind === "hover") fire(canvas, new MouseEvent("mousemove", at(what)));
  if (kind === "key") fire(canvas, new KeyboardEvent("keydown", { key: what[0], shiftKey: what[1] === true, bubbles: true, cancelable: true }));
  if (kind === "slide") fire(Object.assign(byId(what[0]), { value: what[1] }), new Event("input", { bubbles: true }));
  if (kind === "select") fire(Object.assign(byId(what[0]), { value: what[1] }), new Event("change", { bubbles: true }));
  if (kind === "press") document.querySelector(what[0]).click();
}

/** A number that changes with any pixel of some canvases. */
function hash(selector) {
  let hash = 2166136261;
  for (const canvas of document.querySelectorAll(selector)) {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i++) hash = Math.imul(hash ^ data[i], 16777619);
  }
  return hash >>> 0;
}

function seen() {
  const plain = (row) => [...row];
  const rows = [...byId("values").rows].map((row) => [...row.cells].map((cell) => cell.textContent));
  return {
    maps: Object.fromEntries(shown.maps.map((map) => [map.id, plain(map.row)])),
    frames: shown.frames.map((frame) => plain(frame.row)),
    contributions: Object.fromEntries(Object.entries(shown.contributions).map(([name, { r, d }]) => [name, [plain(r), plain(d)]])),
    pixels: { pictures: hash("#pictures canvas"), maps: hash("#maps canvas"), strip: hash("#strip canvas") },
    where: byId("where").textContent,
    pointed: byId("pointed").textContent,
    values: rows,
    shares: byId("shares").textContent,
    prediction: byId("prediction").textContent,
  };
}

window.addEventListener("load", () => {
  const controls = [...document.querySelectorAll("select, input, button, summary, canvas.grid")];
  const named = (control) => control.labels?.length > 0 || control.textContent.trim() !== "" || control.hasAttribute("aria-label");
  const report = {
    unnamed: controls.filter((control) => !named(control)).length,
    unreachable: controls.filter((control) => control.tabIndex < 0).length,
    controls: controls.length,
    wider: document.documentElement.scrollWidth - window.innerWidth,
    steps: [seen()],
  };
  for (const action of ACTIONS) {
    act(action);
    report.steps.push(seen());
  }
  const pre = Object.assign(document.createElement("pre"), { id: "numbers", textContent: JSON.stringify(report) });
  document.body.append(pre);
});
