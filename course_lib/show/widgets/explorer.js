// The latent explorer. One source for the widget, which asks the kernel, and for the atlas, which asks its own arrays
// (atlas.js).

const FINE = 20; // parts of a time step and of a semitone in which notes are sent
const BREATH = 90; // milliseconds between two sounds in a drag: the ear follows, and the roll has the processor

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const minus = (a, b) => a.map((value, i) => value - b[i]);
const along = (start, step, direction) => start.map((value, i) => value + step * direction[i]);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

const equal = (one, other) => one.every((value, i) => value === other[i]);

const shown = (value) => value.toFixed(2).replace(/^-(?!0\.00$)/, "−").replace(/^-/, "");

// Where a code lies when it is projected onto the plane.
const project = ({ origin, x, y }, code) => [dot(minus(code, origin), x), dot(minus(code, origin), y)];

// Where a place of the plane lies on the pad, in percent from the left and from the top.
const percent = ({ centre, half }, [u, v]) => [50 + (50 * (u - centre[0])) / half, 50 - (50 * (v - centre[1])) / half];

function put(element, facts, place) {
  [element.style.left, element.style.top] = percent(facts, place).map((value) => `${clamp(value, 0, 100)}%`);
}

// Lets tests and benchmarks see what has become of a question: "asked", "drawn", "sounding".
const signal = (root, stage, id) => root.dispatchEvent(new CustomEvent(`explorer-${stage}`, { detail: id }));

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
<p class="status" role="status" aria-live="polite"></p></div>
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

// The page, and what stands still on it.
function buildPage(root, { axes, ranges, ends, caption, atlas }) {
  root.className = "listen alive explorer";
  root.dataset.lmSuppressShortcuts = "true"; // a key pressed here is none of JupyterLab's shortcuts
  root.innerHTML = PAGE;
  const find = (selector) => root.querySelector(selector);
  const line = ends.length > 1, badges = [...root.querySelectorAll(".end")];
  find(".caption").textContent = caption;
  find(".caption").hidden = !caption;
  const directions = `${axes[0]} across, ${axes[1]} up`;
  find(".pad").setAttribute(
    "aria-label", `Map of the latent space, ${directions}. Arrow keys move, with shift further; space plays.`);
  root.querySelectorAll(".axes span").forEach((span, i) => (span.textContent = `${"→↑"[i]} ${axes[i]}`));
  find(".line").hidden = !line;
  badges.forEach((badge) => (badge.hidden = !line));
  for (const part of [".codes", ".engraved", ".visit", "[data-format=MIDI]", "[data-format=MusicXML]"]) {
    find(part).hidden = Boolean(atlas);
  }
  find(".morph").setAttribute("aria-label", "From A to B");
  for (const [name, index] of [[".from", 0], [".to", 1]]) {
    find(name).append(...ends.map(([end], i) => new Option(end, i)));
    find(name).selectedIndex = line ? index : -1;
  }
  find(".codes summary").textContent = `All ${ranges.length} numbers of the code`;
  find(".codes").open = ranges.length <= 8;
  const sliders = ranges.map(([low, high], i) => {
    const row = find(".sliders").appendChild(document.createElement("label"));
    row.innerHTML = `<span>z${i}</span><input type="range" min="${low}" max="${high}" step="any" aria-label="z${i}"><b></b>`;
    return row;
  });
  return { root, find, pad: find(".pad"), badges, sliders };
}

// States that can be undone: a gesture, from its first change to keep, is one step. changed: called after each change.
function mountHistory(first, changed) {
  const past = [], future = [];
  let state = first, before = null;
  const same = (one, other) => one.a === other.a && one.b === other.b && equal(one.code, other.code);
  function step(taken, given) {
    if (!taken.length) return false;
    given.push(state);
    state = taken.pop();
    before = null;
    changed();
    return true;
  }
  return {
    now: () => state,
    change(next) {
      before ??= state;
      state = { ...state, ...next };
      changed();
    },
    keep() {
      if (before && !same(before, state)) {
        past.push(before);
        future.length = 0;
      }
      before = null;
      changed();
    },
    undo: () => step(past, future),
    redo: () => step(future, past),
    steps: () => [past.length, future.length],
  };
}

// Questions to the backend: one at a time, the newest wins.
function mountQuestions({ backend, view, page, history, figure, status }) {
  const place = page.find(".place");
  let flying = null, waiting = null, asked = 0, patience; // questions
  let soundAsked = null, soundCode = null, soundTime = 0, owed = false; // the sound that was asked for last

  // wish: final (the hand rests), words (what is announced then), visit (a training piece to go to).
  function request(wish) {
    waiting = { ...wish, final: wish.final || waiting?.final, words: wish.words ?? waiting?.words };
    if (!flying) ask();
  }

  // A sound that was not asked for, since another one was on its way or had just come, is asked for later.
  function ask() {
    flying = { ...waiting, id: `${view} ${(asked += 1)}` };
    waiting = null;
    const { id, final, visit } = flying, { code } = history.now(), now = performance.now();
    const known = visit === undefined && soundCode && equal(soundCode, code);
    const wanted = !known && Boolean(final || owed || figure.playing());
    owed = wanted && (soundAsked !== null || (!final && now < soundTime + BREATH));
    if (wanted && !owed) [soundAsked, soundTime, soundCode] = [id, now, visit === undefined ? code : null];
    clearTimeout(patience);
    patience = setTimeout(
      () => status.complain("The kernel is busy, or it has stopped. The answer comes when it is free."), 4000);
    place.ariaBusy = "true";
    signal(page.root, "asked", id);
    backend.send({ kind: "move", id, code, sound: wanted && !owed, final: Boolean(final), form: figure.form(), visit });
  }

  function next() {
    if (flying) return;
    place.ariaBusy = "false";
    if (waiting) return ask();
    if (!owed || soundAsked !== null) return;
    const early = soundTime + BREATH - performance.now();
    if (early > 0) setTimeout(next, early + 1);
    else request({ final: true });
  }

  function landed(id) {
    clearTimeout(patience);
    if (id === flying?.id) flying = null;
  }

  return {
    request,
    next,
    // The question that a roll answers; nothing when that is not awaited any more.
    rolled(id) {
      if (id !== flying?.id) return undefined;
      const question = { ...flying, newest: !waiting };
      landed(id);
      return question;
    },
    sounded(id) {
      if (id !== soundAsked) return false;
      soundAsked = null;
      return true;
    },
    failed(id) {
      landed(id);
      if (id === soundAsked) soundAsked = soundCode = null;
    },
    leave: () => clearTimeout(patience),
  };
}

// The figure: roll and player. Until the first sound is there, play waits for it.
function mountFigure(place) {
  let begin, take, player, notes, form, frame, bars = [], paused = false;
  const first = new Promise((resolve) => (begin = resolve)).then((make) => make());
  let latest = () => first;

  function mount(message) {
    ({ form, frame } = message);
    const [time, playing, focused] = [player?.now(), player?.playing(), take?.contains(document.activeElement)];
    player?.stop();
    place.innerHTML = frame.html;
    take = place.querySelector(".take");
    const picture = take.querySelector(".grid img");
    picture.alt = "";
    const [left, , width, height] = frame.box;
    const paths = [...frame.colours, ...frame.colours].map((colour) => `<path fill="${colour}"/>`).join("");
    picture.insertAdjacentHTML("afterend", `<svg class="notes" role="img" viewBox="${left} 0 ${width} ${height}"
 preserveAspectRatio="none">${paths}</svg>`);
    notes = take.querySelector(".notes");
    player = mountTake(take, latest, true);
    if (playing) player.play(time);
    if (focused) take.querySelector("button").focus();
  }

  function draw(alt) {
    const paths = notes.children, count = frame.colours.length, d = Array(2 * count).fill("");
    const top = frame.box[1] + frame.box[3];
    for (let i = 0; i < bars.length; i += 5) {
      const [voice, left, right, low, high] = bars.subarray(i, i + 5);
      const wide = (right - left) / FINE, tall = (high - low) / FINE;
      const index = voice + (tall < 0.6 ? count : 0); // halves over wholes
      d[index] += `M${left / FINE} ${top - high / FINE}h${wide}v${tall}h${-wide}z`;
    }
    d.forEach((path, i) => paths[i].setAttribute("d", path));
    notes.setAttribute("aria-label", alt);
  }

  place.addEventListener("click", (event) => {
    if (event.target.closest(".transport button")) paused = !player.playing();
  });
  return {
    form: () => form,
    voices: () => frame.voices,
    playing: () => player?.playing(),
    toggle: () => (player?.playing() ? player.stop() : player?.play()),
    stop: () => player?.stop(),
    // The hand hears what it does, until someone pauses.
    wake() {
      if (player && !player.playing() && !paused) player.play();
    },
    show(message, data) {
      if (message.frame) mount(message);
      bars = data instanceof Int16Array ? data : new Int16Array(copied(data));
      draw(message.alt);
    },
    // Takes another sound; the promise ends once that is what plays, or will play.
    renew(data) {
      let made;
      const make = typeof data === "function" ? data : () => sound().decodeAudioData(copied(data));
      latest = () => (made ??= make());
      begin(latest);
      return Promise.resolve(player.renew(latest));
    },
    // Each note as a text: voice, start, end and pitch.
    keys() {
      const found = [];
      for (let i = 0; i < bars.length; i += 5) found.push(`${bars.subarray(i, i + 3)} ${pitchOf(bars, i)}`);
      return found;
    },
  };
}

// The line of text below the pad.
function mountStatus(element) {
  let announced = null, silence;
  function write(text, wrong = false) {
    element.textContent = text;
    element.classList.toggle("wrong", wrong);
  }
  return {
    write,
    complain: (text) => write(text, true), // until the next answer
    answered(figure) {
      if (element.matches(".wrong")) write("");
      announced ??= figure.keys();
    },
    // When the hand rests: what happened, and which notes are new since the last announcement.
    announce(words, figure, nearest, done) {
      clearTimeout(silence);
      silence = setTimeout(() => {
        const now = figure.keys(), known = new Set(announced), voices = figure.voices(), fresh = voices.map(() => 0);
        now.filter((key) => !known.has(key)).forEach((key) => (fresh[parseInt(key)] += 1));
        const changed = voices.map((name, i) => `${name} ${fresh[i]}`).filter((_, i) => fresh[i]).join(", ");
        write(`${words}. ${changed ? `New notes: ${changed}` : "No note is new"}. Nearest training piece: ${nearest.label}.`);
        announced = now;
        done();
      }, 350);
    },
  };
}

// Shows the state of the history: marker, sliders, and the line from A to B.
function showState({ page: { find, pad, badges, sliders }, facts, history, nearest }) {
  const { plane, ends } = facts, { code, a: first, b: second } = history.now();
  const place = project(plane, code), [across, up] = place.map(shown);
  put(find(".marker"), facts, place);
  pad.setAttribute("aria-valuenow", Math.round(clamp(percent(facts, place)[0], 0, 100)));
  pad.setAttribute("aria-valuetext", `${across} across, ${up} up${nearest.label && `, nearest training piece ${nearest.label}`}`);
  if (find(".codes").open) {
    sliders.forEach((row, i) => {
      row.children[1].value = code[i];
      row.children[1].setAttribute("aria-valuetext", (row.children[2].textContent = shown(code[i])));
    });
  }
  const [past, future] = history.steps();
  find(".undo").disabled = !past;
  find(".redo").disabled = !future;
  if (ends.length < 2) return;
  const [[nameA, a], [nameB, b]] = [ends[first], ends[second]], whole = minus(b, a), morph = find(".morph");
  find(".from").selectedIndex = first;
  find(".to").selectedIndex = second;
  morph.value = clamp(dot(minus(code, a), whole) / (dot(whole, whole) || 1), 0, 1);
  morph.setAttribute("aria-valuetext", `${Math.round(100 * morph.value)} percent from ${nameA} to ${nameB}`);
  [a, b].forEach((end, i) => put(badges[i], facts, project(plane, end)));
  find(".way").setAttribute("d", `M${percent(facts, project(plane, a))}L${percent(facts, project(plane, b))}`);
}

// What is done with each kind of answer.
function answersOf(explorer) {
  const { page, facts, history, figure, questions, status, nearest } = explorer, { find } = page;
  return {
    roll(message, [data]) {
      const question = questions.rolled(message.id);
      if (!question) return;
      if (question.visit !== undefined && question.newest) {
        history.change({ code: message.code });
        history.keep();
      }
      figure.show(message, data);
      Object.assign(nearest, { label: message.label, index: message.near });
      put(find(".pad .near"), facts, message.spot);
      find(".nearest b").textContent = find(".nearest b").title = message.label;
      showState(explorer);
      signal(page.root, "drawn", message.id);
      status.answered(figure);
      if (question.final && question.words) {
        status.announce(question.words, figure, nearest, () => find(".engraved").open && askScore(explorer));
      }
      questions.next();
    },
    sound(message, [data]) {
      if (!questions.sounded(message.id)) return;
      figure.renew(data).then(() => figure.playing() && signal(page.root, "sounding", message.id));
      questions.next();
    },
    error({ id, text }) {
      questions.failed(id);
      status.complain(text);
      questions.next();
    },
    goto({ code }) {
      history.change({ code });
      settle(explorer, "Moved from Python");
    },
    file: ({ ending, type }, [data]) => save(explorer, ending, new Blob([data], { type })),
    score: ({ html }) => (find(".score").innerHTML = html),
  };
}

// A step of a gesture, and its end.
function slide({ history, questions }, next) {
  history.change(next);
  questions.request({});
}
function settle({ history, questions }, words) {
  history.keep();
  questions.request({ final: true, words });
}

const askScore = ({ send, history }) => send("score", { code: history.now().code });

function save({ facts, status }, ending, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${facts.file}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  status.write(`Saved as ${link.download}.`);
}

// The pad, for the hand and for the arrow keys: it changes what lies in the plane, and leaves the rest.
function mountPad(explorer) {
  const { page, facts, history, figure } = explorer, { plane, centre, half, atlas } = facts;
  const { pad, find } = page, tip = find(".tip"), map = mountMap(facts, pad, find("canvas"), tip);
  const cellWidth = atlas ? (2 * atlas.reach) / (atlas.n - 1) : 0;
  let dragged = null;

  function codeAt(u, v) {
    const limit = (value, i) => clamp(value, centre[i] - half, centre[i] + half);
    let [x, y] = [limit(u, 0), limit(v, 1)];
    let { code } = history.now();
    if (atlas) {
      const cell = nearestCell(plane, centre, atlas, along(along(plane.origin, x, plane.x), y, plane.y));
      [x, y] = cell.map((index, i) => centre[i] - atlas.reach + index * cellWidth);
      code = plane.origin;
    }
    const [u0, v0] = project(plane, code);
    return along(along(code, x - u0, plane.x), y - v0, plane.y);
  }
  function pointed({ clientX, clientY }) {
    const { left, top, width } = pad.getBoundingClientRect(), scale = (2 * half) / width;
    const code = codeAt(centre[0] - half + scale * (clientX - left), centre[1] + half - scale * (clientY - top));
    if (!equal(code, history.now().code)) slide(explorer, { code });
  }
  const settleHere = () =>
    settle(explorer, `Moved to ${project(plane, history.now().code).map(shown).join(" across, ")} up`);

  pad.addEventListener("pointerdown", (event) => {
    if (event.button || dragged !== null) return;
    dragged = event.pointerId;
    pad.setPointerCapture(dragged);
    tip.hidden = true;
    figure.wake();
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
      settleHere();
    });
  }
  pad.addEventListener("pointerleave", () => (tip.hidden = true));
  pad.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = (atlas ? cellWidth : half / 20) * (event.shiftKey ? (atlas ? 2 : 5) : 1);
    const move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowDown: [0, -step], ArrowUp: [0, step] }[event.key];
    const place = project(plane, history.now().code);
    const goal = event.key === "Home" ? centre : move && place.map((value, i) => value + move[i]);
    if (!goal && event.key !== " ") return;
    event.preventDefault();
    if (!goal) return figure.toggle();
    history.change({ code: codeAt(...goal) });
    settleHere();
  });
  return map.leave;
}

// Sliders, the line from A to B, and the buttons.
function mountControls(explorer) {
  const { page, facts, history, questions, nearest, send } = explorer, { root, find, sliders } = page;
  sliders.forEach((row, i) => {
    const input = row.children[1];
    input.addEventListener("input", () => slide(explorer, { code: history.now().code.with(i, Number(input.value)) }));
    input.addEventListener("change", () => settle(explorer, `z${i} set to ${shown(history.now().code[i])}`));
  });
  find(".codes").addEventListener("toggle", () => showState(explorer));

  const morph = find(".morph"), { ends } = facts;
  const between = ({ a, b }) => along(ends[a][1], Number(morph.value), minus(ends[b][1], ends[a][1]));
  morph.addEventListener("input", () => slide(explorer, { code: between(history.now()) }));
  morph.addEventListener("change", () => settle(explorer, morph.getAttribute("aria-valuetext")));
  for (const [select, name] of [[find(".from"), "a"], [find(".to"), "b"]]) {
    select.addEventListener("change", () => {
      const chosen = { ...history.now(), [name]: select.selectedIndex };
      history.change({ ...chosen, code: between(chosen) });
      settle(explorer, `${name.toUpperCase()} is ${ends[chosen[name]][0]}`);
    });
  }

  const undo = () => history.undo() && settle(explorer, "Undone");
  const redo = () => history.redo() && settle(explorer, "Redone");
  find(".undo").addEventListener("click", undo);
  find(".redo").addEventListener("click", redo);
  root.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || !"zy".includes(event.key.toLowerCase())) return;
    event.preventDefault();
    if (event.shiftKey || event.key === "y") redo();
    else undo();
  });
  find(".visit").addEventListener("click", () =>
    questions.request({ visit: nearest.index, final: true, words: `At ${nearest.label}` }));
  root.addEventListener("click", (event) => {
    const { code } = history.now(), format = event.target.dataset?.format;
    const numbers = () => new Blob([JSON.stringify({ code, nearest: nearest.label })], { type: "application/json" });
    if (format === "code") save(explorer, "json", numbers());
    else if (format) send("save", { format, code });
  });
  find(".engraved").addEventListener("toggle", () => find(".engraved").open && askScore(explorer));
}

// Makes an explorer of an empty element. start: the code to begin with; the answer is a function that ends it.
function mountExplorer(root, facts, start, backend) {
  const { plane, centre } = facts;
  const view = Math.random().toString(36).slice(2); // marks the questions of this view
  const page = buildPage(root, facts), status = mountStatus(page.find(".status")), figure = mountFigure(page.find(".place"));
  const middle = along(along(plane.origin, centre[0], plane.x), centre[1], plane.y);
  const history = mountHistory({ code: start ?? middle, a: 0, b: 1 }, () => showState(explorer));
  const questions = mountQuestions({ backend, view, page, history, figure, status });
  const send = (kind, request) => backend.send({ kind, id: `${view} ${kind}`, ...request });
  const explorer = { page, facts, history, figure, questions, status, send, nearest: { label: "", index: 0 } };

  const answers = answersOf(explorer);
  const leaveBackend = backend.listen((message, buffers) => {
    if (!message.id || message.id.startsWith(view)) answers[message.kind](message, buffers);
  });
  const leavePad = mountPad(explorer);
  mountControls(explorer);
  status.write("Drag the marker, or move it with the arrow keys. Space plays and pauses.");
  showState(explorer);
  questions.request({ final: true });
  return () => {
    leaveBackend();
    leavePad();
    questions.leave();
    figure.stop();
  };
}

// The bytes of a message: what arrives is a view of all of it.
function copied({ buffer, byteOffset, byteLength }) {
  return buffer.slice(byteOffset, byteOffset + byteLength);
}
