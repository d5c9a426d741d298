// The latent explorer. One source for the widget, which asks the kernel, and for the atlas, which asks its own arrays
// (atlas.js).

const FINE = 20; // parts of a time step and of a semitone in which notes are sent
const KEPT = 1000; // moves whose times are kept
const BREATH = 90; // milliseconds between two sounds in a drag: the ear follows, and the roll has the processor

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const minus = (a, b) => a.map((value, i) => value - b[i]);
const along = (start, step, direction) => start.map((value, i) => value + step * direction[i]);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

const shown = (value) => value.toFixed(2).replace(/^-(?!0\.00$)/, "−").replace(/^-/, "");

// Where a code lies when it is projected onto the plane.
const project = ({ origin, x, y }, code) => [dot(minus(code, origin), x), dot(minus(code, origin), y)];

// What only a kernel can answer: the straight line from A to B, and every number.
const LIVE = `
<div class="line"><label>A <select class="from" aria-label="Piece A"></select></label>
<input class="morph" type="range" min="0" max="1" step="0.01">
<label>B <select class="to" aria-label="Piece B"></select></label></div>
<details class="codes"><summary></summary><div class="sliders"></div></details>`;

const PAGE = `<p class="caption"></p><div class="board">
<div class="where"><div class="pad" tabindex="0" role="slider" aria-roledescription="two-dimensional pad"
 aria-valuemin="0" aria-valuemax="100"><canvas aria-hidden="true"></canvas>
<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true"><path class="way"/></svg>
<i class="end">A</i><i class="end">B</i><i class="near"></i><i class="marker"></i><span class="tip" hidden></span></div>
<div class="axes" aria-hidden="true"><span></span><span></span></div>
<p class="said" role="status" aria-live="polite"></p></div>
<div class="what"><div class="place"></div>
<p class="nearest"><i class="near"></i>Nearest piece: <b></b><button type="button" class="visit">Go there</button></p>
<div class="tools"><button type="button" class="undo" title="Undo (Ctrl+Z)">Undo</button>
<button type="button" class="redo" title="Redo (Ctrl+Shift+Z)">Redo</button>
<span role="group" aria-label="Save this piece">Save: <button type="button" data-format="MIDI">MIDI</button>
<button type="button" data-format="MusicXML">MusicXML</button>
<button type="button" data-format="code">numbers</button></span></div></div>
<div class="below">${LIVE}<details class="engraved"><summary>Score</summary>
<div class="score" tabindex="0" role="region" aria-label="Score"></div></details></div></div>`;

// The side of the kernel: messages of the widget's model.
function kernel(model) {
  return {
    send: (request) => model.send(request),
    listen(listener) {
      model.on("msg:custom", listener);
      return () => model.off("msg:custom", listener);
    },
  };
}

// The cell of an atlas, column and row, in which a code lies.
function nearestCell(plane, centre, { n, reach }, code) {
  const index = (value, i) => Math.round((((value - centre[i]) / reach + 1) * (n - 1)) / 2);
  return project(plane, code).map((value, i) => clamp(index(value, i), 0, n - 1));
}

// The pitch of the note at index i; half a box lies beside it.
const pitchOf = (bars, i) => Math.round((bars[i + 3] + bars[i + 4]) / 2 / FINE);

// The dots of the training pieces, over the cells of an atlas, and the name of the one that the mouse is on.
function mountMap({ dots: places, who: owners, names, half, atlas }, pad, canvas, tip) {
  const dots = new Int16Array(decoded(places)), who = new Uint16Array(decoded(owners)); // ±32000: edge to edge
  const few = dots.length < 1000;

  function draw() {
    const size = pad.clientWidth, scale = window.devicePixelRatio || 1;
    if (!size) return;
    canvas.width = canvas.height = size * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    if (atlas) {
      pen.fillStyle = "#e3edf5";
      const gap = (atlas.reach / half) * (size / (atlas.n - 1)), edge = (size - atlas.n * gap) / 2;
      for (let i = 0; i < atlas.n ** 2; i++) {
        pen.fillRect(edge + (i % atlas.n) * gap + 1, edge + Math.floor(i / atlas.n) * gap + 1, gap - 2, gap - 2);
      }
    }
    pen.fillStyle = few ? "rgba(52, 86, 120, 0.55)" : "rgba(52, 86, 120, 0.3)";
    for (let i = 0; i < dots.length; i += 2) {
      pen.beginPath();
      pen.arc((size / 2) * (1 + dots[i] / 32000), (size / 2) * (1 - dots[i + 1] / 32000), few ? 2.6 : 1.8, 0, 7);
      pen.fill();
    }
  }

  function name({ clientX, clientY }) {
    const { left, top, width } = pad.getBoundingClientRect();
    const x = (2 * (clientX - left)) / width - 1, y = 1 - (2 * (clientY - top)) / width;
    let best = 20 / width, index = -1; // within ten pixels
    for (let i = 0; i < dots.length; i += 2) {
      const far = Math.hypot(dots[i] / 32000 - x, dots[i + 1] / 32000 - y);
      if (far < best) [best, index] = [far, i];
    }
    tip.hidden = index < 0;
    if (index < 0) return;
    tip.textContent = names[who[index / 2]];
    tip.style.left = `${50 + dots[index] / 640}%`;
    tip.style.top = `${50 - dots[index + 1] / 640}%`;
    tip.classList.toggle("left", dots[index] > 0);
  }

  const watch = new ResizeObserver(draw);
  watch.observe(pad);
  return { name, leave: () => watch.disconnect() };
}

// Makes an explorer of an empty element. start: the code to begin with; the answer is a function that ends it.
function mountExplorer(root, facts, start, backend) {
  const { plane, axes, ranges, ends, centre, half, atlas } = facts;
  const view = Math.random().toString(36).slice(2);
  root.className = "listen alive explorer";
  root.dataset.lmSuppressShortcuts = "true"; // a key pressed here is none of JupyterLab's shortcuts
  root.innerHTML = PAGE;
  const find = (selector) => root.querySelector(selector);
  const [pad, canvas, way, marker, ring, tip] = [".pad", "canvas", ".way", ".marker", ".pad .near", ".tip"].map(find);
  const [from, to, morph, undo, redo, said] = [".from", ".to", ".morph", ".undo", ".redo", ".said"].map(find);
  const badges = [...root.querySelectorAll(".end")];
  const line = ends.length > 1;
  const cellWidth = atlas ? (2 * atlas.reach) / (atlas.n - 1) : 0;
  let state = { code: start ?? along(along(plane.origin, centre[0], plane.x), centre[1], plane.y), a: 0, b: 1 };
  let figure, player, notes, form, frame, bars = [], label = "", near = 0;

  // What stands still.
  find(".caption").textContent = facts.caption;
  find(".caption").hidden = !facts.caption;
  const directions = `${axes[0]} across, ${axes[1]} up`;
  pad.setAttribute("aria-label", `Map of the latent space, ${directions}. Arrow keys move, with shift further; space plays.`);
  root.querySelectorAll(".axes span").forEach((span, i) => (span.textContent = `${"→↑"[i]} ${axes[i]}`));
  find(".line").hidden = !line;
  badges.forEach((badge) => (badge.hidden = !line));
  for (const part of [".codes", ".engraved", ".visit", "[data-format=MIDI]", "[data-format=MusicXML]"]) {
    find(part).hidden = Boolean(atlas);
  }
  morph.setAttribute("aria-label", "From A to B");
  for (const [select, index] of [[from, 0], [to, 1]]) {
    select.append(...ends.map(([name], i) => new Option(name, i)));
    select.selectedIndex = line ? index : -1;
  }
  const codes = find(".codes");
  codes.querySelector("summary").textContent = `All ${ranges.length} numbers of the code`;
  codes.open = ranges.length <= 8;
  const sliders = ranges.map(([low, high], i) => {
    const row = codes.querySelector(".sliders").appendChild(document.createElement("label"));
    row.innerHTML = `<span>z${i}</span><input type="range" min="${low}" max="${high}" step="any" aria-label="z${i}"><b></b>`;
    return row;
  });

  const map = mountMap(facts, pad, canvas, tip);
  const percent = ([u, v]) => [50 + (50 * (u - centre[0])) / half, 50 - (50 * (v - centre[1])) / half];
  function put(element, place) {
    [element.style.left, element.style.top] = percent(place).map((value) => `${clamp(value, 0, 100)}%`);
  }

  // What moves: all of it shows state.code.
  function show() {
    const place = project(plane, state.code);
    put(marker, place);
    const [across, up] = place.map(shown);
    pad.setAttribute("aria-valuenow", Math.round(clamp(percent(place)[0], 0, 100)));
    pad.setAttribute("aria-valuetext", `${across} across, ${up} up${label && `, nearest training piece ${label}`}`);
    if (codes.open) {
      sliders.forEach((row, i) => {
        row.children[1].value = state.code[i];
        row.children[1].setAttribute("aria-valuetext", (row.children[2].textContent = shown(state.code[i])));
      });
    }
    undo.disabled = !past.length;
    redo.disabled = !future.length;
    if (!line) return;
    const [[nameA, a], [nameB, b]] = [ends[state.a], ends[state.b]], whole = minus(b, a);
    from.selectedIndex = state.a;
    to.selectedIndex = state.b;
    morph.value = clamp(dot(minus(state.code, a), whole) / (dot(whole, whole) || 1), 0, 1);
    morph.setAttribute("aria-valuetext", `${Math.round(100 * morph.value)} percent from ${nameA} to ${nameB}`);
    [a, b].forEach((end, i) => put(badges[i], project(plane, end)));
    way.setAttribute("d", `M${percent(project(plane, a))}L${percent(project(plane, b))}`);
  }

  // Undo and redo: a gesture is one step.
  const past = [], future = [];
  let before = null;
  const equal = (one, other) => one.every((value, i) => value === other[i]);
  const same = (one, other) => one.a === other.a && one.b === other.b && equal(one.code, other.code);
  function change(next) {
    before ??= state;
    state = { ...state, ...next };
    show();
  }
  function keep() {
    if (before && !same(before, state)) {
      past.push(before);
      future.length = 0;
    }
    before = null;
    show();
  }
  function slide(next, moved) {
    change(next);
    request({ moved });
  }
  function settle(words, moved) {
    keep();
    request({ final: true, words, moved });
  }
  function go(taken, given, words) {
    if (!taken.length) return;
    given.push(state);
    state = taken.pop();
    before = null;
    settle(words);
  }

  // Questions to the backend: one at a time, the newest wins. For each, in milliseconds of the page's clock: first and
  // moved (the oldest and the newest movement that it answers), sent, rolled and sounded (the answers came), drawn, ready
  // (the new sound plays), heard (it reaches the loudspeaker); and the kernel's times: decode, roll, synthesis, encoding.
  const timings = (root.timings = []);
  let flying = null, waiting = null, asked = 0, inTheAir = null, lastSound = 0, sounding = null, owed = false, patience;
  function request(wish) {
    const now = performance.now();
    const { first = wish.moved ?? now, final, words } = waiting ?? {};
    waiting = { ...wish, moved: wish.moved ?? now, first, final: wish.final || final, words: wish.words ?? words };
    if (!flying) ask();
  }
  // A sound that was not asked for, since another one was on its way or had just come, is asked for later.
  function ask() {
    flying = { ...waiting, id: `${view} ${(asked += 1)}`, sent: performance.now() };
    waiting = null;
    const { id, sent, final, visit } = flying;
    const known = visit === undefined && sounding && equal(sounding, state.code);
    const wanted = !known && Boolean(final || owed || player?.playing());
    owed = wanted && (inTheAir !== null || (!final && sent < lastSound + BREATH));
    const withSound = wanted && !owed;
    if (withSound) [inTheAir, lastSound, sounding] = [id, sent, visit === undefined ? state.code : null];
    timings.push({ id, first: flying.first, moved: flying.moved, sent });
    if (timings.length > KEPT) timings.shift();
    clearTimeout(patience);
    patience = setTimeout(() => complain("The kernel is busy, or it has stopped. The answer comes when it is free."), 4000);
    backend.send({ kind: "move", id, code: state.code, sound: withSound, final: Boolean(final), form, visit });
  }
  function next() {
    if (flying) return;
    if (waiting) return ask();
    if (!owed || inTheAir !== null) return;
    const early = lastSound + BREATH - performance.now();
    if (early > 0) setTimeout(next, early + 1);
    else request({ final: true });
  }
  function note(id, times) {
    Object.assign(timings.findLast((entry) => entry.id === id) ?? {}, times);
  }

  const answers = {
    roll(message, [data]) {
      if (message.id !== flying?.id) return;
      const rolled = performance.now(), { final, words, visit, id } = flying;
      flying = null;
      clearTimeout(patience);
      if (visit !== undefined && !waiting) {
        change({ code: message.code });
        keep();
      }
      if (said.matches(".wrong")) say("");
      if (message.frame) mount(message);
      bars = data instanceof Int16Array ? data : new Int16Array(copied(data));
      ({ label, near } = message);
      drawNotes(message.says);
      put(ring, message.spot);
      find(".nearest b").textContent = find(".nearest b").title = label;
      show();
      painted(() => note(id, { rolled, drawn: performance.now(), ...message.times }));
      told ??= keys();
      if (final && words) tell(words);
      next();
    },
    sound(message, [data]) {
      if (message.id !== inTheAir) return;
      inTheAir = null;
      const sounded = performance.now(), playing = player.playing();
      let made;
      const make = typeof data === "function" ? data : () => sound().decodeAudioData(copied(data));
      latest = () => (made ??= make());
      begin(latest);
      Promise.resolve(player.renew(latest)).then(() => {
        const ready = performance.now();
        const heard = playing ? { ready, heard: ready + 1000 * (sound().outputLatency || 0) } : {};
        note(message.id, { sounded, ...heard, ...message.times });
      });
      next();
    },
    error({ id, text }) {
      if (id === flying?.id) flying = null;
      if (id === inTheAir) inTheAir = sounding = null;
      clearTimeout(patience);
      complain(text);
      next();
    },
    goto({ code }) {
      change({ code });
      settle("Moved from Python");
    },
    file({ ending, type }, [data]) {
      save(ending, new Blob([data], { type }));
    },
    score({ html }) {
      find(".score").innerHTML = html;
    },
  };
  const leave = backend.listen((message, buffers) => {
    if (!message.id || message.id.startsWith(view)) answers[message.kind](message, buffers); // each view has its own
  });

  // The figure: roll and player. Until the first sound is there, play waits for it.
  let begin;
  const first = new Promise((resolve) => (begin = resolve)).then((make) => make());
  let latest = () => first;
  function mount(message) {
    ({ form, frame } = message);
    const [time, playing, focused] = [player?.now(), player?.playing(), figure?.contains(document.activeElement)];
    player?.stop();
    find(".place").innerHTML = frame.html;
    figure = find(".take");
    const picture = figure.querySelector(".grid img");
    picture.alt = "";
    const [left, , width, height] = frame.box;
    const paths = [...frame.colours, ...frame.colours].map((colour) => `<path fill="${colour}"/>`).join("");
    picture.insertAdjacentHTML("afterend", `<svg class="notes" role="img" viewBox="${left} 0 ${width} ${height}"
 preserveAspectRatio="none">${paths}</svg>`);
    notes = figure.querySelector(".notes");
    player = mountTake(figure, latest, true);
    if (playing) player.play(time);
    if (focused) figure.querySelector("button").focus();
  }
  function drawNotes(says) {
    const paths = notes.children, count = frame.colours.length, d = Array(2 * count).fill("");
    const top = frame.box[1] + frame.box[3];
    for (let i = 0; i < bars.length; i += 5) {
      const [voice, left, right, low, high] = bars.subarray(i, i + 5);
      const wide = (right - left) / FINE, tall = (high - low) / FINE;
      const index = voice + (tall < 0.6 ? count : 0); // halves over wholes
      d[index] += `M${left / FINE} ${top - high / FINE}h${wide}v${tall}h${-wide}z`;
    }
    d.forEach((path, i) => paths[i].setAttribute("d", path));
    notes.setAttribute("aria-label", says);
  }

  // Words, when the hand rests.
  let told = null, silence;
  function say(text, wrong = false) {
    said.textContent = text;
    said.classList.toggle("wrong", wrong);
  }
  const complain = (text) => say(text, true); // until the next answer
  const keys = () => {
    const found = [];
    for (let i = 0; i < bars.length; i += 5) found.push(`${bars.subarray(i, i + 3)} ${pitchOf(bars, i)}`);
    return found;
  };
  function tell(words) {
    clearTimeout(silence);
    silence = setTimeout(() => {
      const now = keys(), known = new Set(told), fresh = frame.voices.map(() => 0);
      now.filter((key) => !known.has(key)).forEach((key) => (fresh[parseInt(key)] += 1));
      const changed = frame.voices.map((name, i) => `${name} ${fresh[i]}`).filter((_, i) => fresh[i]).join(", ");
      say(`${words}. ${changed ? `New notes: ${changed}` : "No note is new"}. Nearest training piece: ${label}.`);
      told = now;
      if (find(".engraved").open) askScore();
    }, 350);
  }
  const askScore = () => backend.send({ kind: "score", id: `${view} score`, code: state.code });

  // The pad.
  function codeAt(u, v) {
    const limit = (value, i) => clamp(value, centre[i] - half, centre[i] + half);
    let [x, y] = [limit(u, 0), limit(v, 1)];
    let { code } = state;
    if (atlas) {
      const cell = nearestCell(plane, centre, atlas, along(along(plane.origin, x, plane.x), y, plane.y));
      [x, y] = cell.map((index, i) => centre[i] - atlas.reach + index * cellWidth);
      code = plane.origin;
    }
    const [u0, v0] = project(plane, code);
    return along(along(code, x - u0, plane.x), y - v0, plane.y);
  }
  function pointed({ clientX, clientY, timeStamp }) {
    const { left, top, width } = pad.getBoundingClientRect(), scale = (2 * half) / width;
    const code = codeAt(centre[0] - half + scale * (clientX - left), centre[1] + half - scale * (clientY - top));
    if (!equal(code, state.code)) slide({ code }, timeStamp);
  }
  const where = () => `Moved to ${project(plane, state.code).map(shown).join(" across, ")} up`;
  let dragged = null, paused = false;
  pad.addEventListener("pointerdown", (event) => {
    if (event.button || dragged !== null) return;
    dragged = event.pointerId;
    pad.setPointerCapture(dragged);
    tip.hidden = true;
    if (player && !player.playing() && !paused) player.play(); // the hand hears what it does, until someone pauses
    pointed(event);
  });
  pad.addEventListener("pointermove", (event) => {
    if (event.pointerId === dragged) pointed(event);
    else if (dragged === null && event.pointerType === "mouse") map.name(event);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    pad.addEventListener(end, (event) => {
      if (event.pointerId !== dragged) return;
      dragged = null;
      settle(where());
    });
  }
  pad.addEventListener("pointerleave", () => (tip.hidden = true));
  pad.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = (atlas ? cellWidth : half / 20) * (event.shiftKey ? (atlas ? 2 : 5) : 1);
    const move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowDown: [0, -step], ArrowUp: [0, step] }[event.key];
    const goal = event.key === "Home" ? centre : move && project(plane, state.code).map((value, i) => value + move[i]);
    if (!goal && event.key !== " ") return;
    event.preventDefault();
    if (goal) {
      change({ code: codeAt(...goal) });
      settle(where(), event.timeStamp);
    } else if (player?.playing()) player.stop();
    else player?.play();
  });

  // Everything else.
  sliders.forEach((row, i) => {
    const input = row.children[1];
    input.addEventListener("input", (event) => slide({ code: state.code.with(i, Number(input.value)) }, event.timeStamp));
    input.addEventListener("change", () => settle(`z${i} set to ${shown(state.code[i])}`));
  });
  codes.addEventListener("toggle", show);
  const between = (a, b, share) => along(ends[a][1], share, minus(ends[b][1], ends[a][1]));
  morph.addEventListener("input", (event) => slide({ code: between(state.a, state.b, Number(morph.value)) }, event.timeStamp));
  morph.addEventListener("change", () => settle(morph.getAttribute("aria-valuetext")));
  for (const [select, name, other] of [[from, "a", "b"], [to, "b", "a"]]) {
    select.addEventListener("change", (event) => {
      const chosen = { [other]: state[other], [name]: select.selectedIndex };
      change({ ...chosen, code: between(chosen.a, chosen.b, Number(morph.value)) });
      settle(`${name.toUpperCase()} is ${ends[chosen[name]][0]}`, event.timeStamp);
    });
  }
  find(".visit").addEventListener("click", () => request({ visit: near, final: true, words: `At ${label}` }));
  undo.addEventListener("click", () => go(past, future, "Undone"));
  redo.addEventListener("click", () => go(future, past, "Redone"));
  root.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || !"zy".includes(event.key.toLowerCase())) return;
    event.preventDefault();
    if (event.shiftKey || event.key === "y") go(future, past, "Redone");
    else go(past, future, "Undone");
  });
  root.addEventListener("click", (event) => {
    if (event.target.closest(".transport button")) paused = !player.playing();
    const format = event.target.dataset?.format;
    if (format === "code") save("json", new Blob([JSON.stringify({ code: state.code, nearest: label })], { type: "application/json" }));
    else if (format) backend.send({ kind: "save", id: `${view} save`, format, code: state.code });
  });
  find(".engraved").addEventListener("toggle", () => find(".engraved").open && askScore());
  function save(ending, blob) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${facts.file}.${ending}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    say(`Saved as ${link.download}.`);
  }

  say("Drag the marker, or move it with the arrow keys. Space plays and pauses.");
  show();
  request({ final: true });
  return () => {
    leave();
    map.leave();
    clearTimeout(patience);
    player?.stop();
  };
}

// The bytes of a message: what arrives is a view of all of it.
function copied({ buffer, byteOffset, byteLength }) {
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

// Calls back once what was drawn is on the screen.
function painted(done) {
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = done;
    port2.postMessage(0);
  });
}
