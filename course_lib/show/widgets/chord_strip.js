// Bars over chords: two menus, a picture of the melody, a lock and a button for each. The kernel writes the bars.
export default {
  render({ model, el }) {
    const { chords: names, modes, pitches } = model.get("_names");
    const root = el.appendChild(document.createElement("div"));
    root.className = "chord-strip";
    root.dataset.lmSuppressShortcuts = "true"; // a key pressed here is none of JupyterLab's shortcuts
    root.addEventListener("keydown", (event) => event.stopPropagation()); // nor do arrow keys in a menu leave the cell
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", "Chord strip: choose chords, lock bars, draw the others again");
    root.innerHTML =
      `<div class="bars"></div><div class="tools"><button type="button" class="again">Draw again</button>` +
      `<fieldset><legend>Mode</legend></fieldset></div><p class="words" role="status"></p>`;
    const group = `mode-${Math.random().toString(36).slice(2)}`;
    const options = names.map((name, i) => `<option value="${i}">${name}</option>`).join("");

    const set = (name, value) => {
      model.set(name, value);
      model.save_changes();
    };
    const draw = (bar) => set("_request", [model.get("_request")[0] + 1, bar]);

    const bars = model.get("chords").map((_, i) => {
      const bar = root.querySelector(".bars").appendChild(document.createElement("div"));
      bar.setAttribute("role", "group");
      bar.setAttribute("aria-label", `Bar ${i + 1}`);
      bar.innerHTML =
        `<b>${i + 1}</b><div class="menus">` +
        `<select aria-label="Bar ${i + 1}, first half">${options}</select>` +
        `<select aria-label="Bar ${i + 1}, second half">${options}</select></div>` +
        `<svg viewBox="0 0 16 ${pitches}" preserveAspectRatio="none" role="img"></svg>` +
        `<small></small><div class="buttons"><button type="button" class="lock">Lock</button>` +
        `<button type="button" class="one">Draw</button></div>`;
      const menus = [...bar.querySelectorAll("select")];
      menus.forEach((menu, half) =>
        menu.addEventListener("change", () => {
          const chords = model.get("chords").map((pair) => [...pair]);
          chords[i][half] = +menu.value;
          set("chords", chords);
        }),
      );
      bar.querySelector(".lock").addEventListener("click", () => {
        const locked = [...model.get("locked")];
        locked[i] = !locked[i];
        set("locked", locked);
      });
      bar.querySelector(".one").addEventListener("click", () => draw(i));
      return { bar, menus };
    });
    const radios = modes.map((mode) => {
      const label = root.querySelector("fieldset").appendChild(document.createElement("label"));
      label.innerHTML = `<input type="radio" name="${group}"> `;
      label.append(mode);
      const radio = label.querySelector("input");
      radio.addEventListener("change", () => radio.checked && set("mode", mode));
      return radio;
    });
    root.querySelector("fieldset").hidden = modes.length < 2;
    root.querySelector(".again").addEventListener("click", () => draw(-1));

    const members = (chord) => [0, chord < 12 ? 4 : 3, 7].map((step) => (chord + step) % 12);
    const picture = (melody, pair) => {
      let shapes = '<path d="M8 0V99" class="half"/>';
      for (let step = 0; step < melody.length; ) {
        const inside = members(pair[step < 8 ? 0 : 1]).includes(melody[step] % 12);
        let end = step + 1; // a box ends where the pitch changes, and at the half, where the chord does
        while (end < melody.length && end !== 8 && melody[end] === melody[step]) end += 1;
        const top = pitches - 1 - melody[step];
        if (melody[step] >= 0)
          shapes += `<rect x="${step + 0.08}" y="${top}" width="${end - step - 0.16}" height="1" class="${inside ? "in" : "out"}"/>`;
        step = end;
      }
      return shapes;
    };
    const show = () => {
      const { melody, shares, notes, words, wrong } = model.get("_state");
      const chords = model.get("chords");
      bars.forEach(({ bar, menus }, i) => {
        const locked = model.get("locked")[i];
        menus.forEach((menu, half) => (menu.value = chords[i][half]));
        const svg = bar.querySelector("svg");
        svg.innerHTML = picture(melody[i], chords[i]);
        svg.setAttribute("aria-label", `Melody of bar ${i + 1}: ${notes[i]}`);
        const share = bar.querySelector("small");
        share.textContent = `${shares[i]} % in`;
        share.setAttribute("aria-label", `${shares[i]} percent of bar ${i + 1} in its chords`);
        const lock = bar.querySelector(".lock");
        lock.setAttribute("aria-pressed", String(locked));
        lock.setAttribute("aria-label", `Lock bar ${i + 1}`);
        lock.textContent = locked ? "Locked" : "Lock";
        const one = bar.querySelector(".one");
        one.setAttribute("aria-label", `Draw bar ${i + 1} again`);
        one.disabled = locked;
        bar.classList.toggle("locked", locked);
      });
      radios.forEach((radio, i) => (radio.checked = modes[i] === model.get("mode")));
      const status = root.querySelector(".words");
      status.textContent = words;
      status.classList.toggle("wrong", wrong);
    };
    const changes = ["chords", "locked", "mode", "_state"].map((name) => `change:${name}`).join(" ");
    model.on(changes, show);
    show();
    return () => model.off(changes, show);
  },
};
