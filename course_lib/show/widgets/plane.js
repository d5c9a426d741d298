// Pictures of one plane of pitch pairs. Buttons ask the kernel; pointing and playing need no kernel.
const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const nameOf = (pitch) => NAMES[pitch % 12] + (Math.floor(pitch / 12) - 1);
const mix = (a, b, t) => a.map((x, i) => Math.round(x + (b[i] - x) * t));
const [WHITE, BLUE, DARK, ORANGE] = [[255, 255, 255], [0, 114, 178], [0, 30, 50], [213, 94, 0]];
const share = (t) => (t < 0.5 ? mix(WHITE, BLUE, 2 * t) : mix(BLUE, DARK, 2 * t - 1));
const probability = (p) => (p < 0.5 ? mix(WHITE, ORANGE, 1 - 2 * p) : mix(WHITE, BLUE, 2 * p - 1));

export default {
  render({ model, el }) {
    const [rows, columns] = model.get("_pitches");
    const [upper, lower] = model.get("_voices");
    const root = el.appendChild(document.createElement("div"));
    root.className = "plane-board";
    root.dataset.lmSuppressShortcuts = "true"; // a key pressed here is none of JupyterLab's shortcuts
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", `Pairs of ${upper} and ${lower}: train by hand, look, and play a pair`);
    root.innerHTML =
      `<div class="tools"></div><div class="pictures" tabindex="0" role="group" aria-label="Pictures: arrow keys ` +
      `choose a pair, Enter plays it"></div><p class="pair" role="status"></p><p class="words" role="status"></p>`;
    const [tools, plane, pair, words] = [".tools", ".pictures", ".pair", ".words"].map((p) => root.querySelector(p));
    let place = [Math.floor(rows.length / 2), Math.floor(columns.length / 2)];
    let sound;

    const buttons = model.get("_actions").map((name) => {
      const button = tools.appendChild(document.createElement("button"));
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", () => {
        if (root.ariaBusy === "true") return;
        root.ariaBusy = "true"; // until the kernel answers; the focus stays on the button
        model.send(name);
      });
      return button;
    });

    const describe = () => {
      const [row, column] = place;
      const values = model.get("_state").pictures.map(([name, all]) => {
        return `${name} ${all[row * columns.length + column].toFixed(name.startsWith("D") ? 2 : 4)}`;
      });
      pair.textContent = `${upper} ${nameOf(rows[row])}, ${lower} ${nameOf(columns[column])}: ${values.join(" · ")}`;
      for (const mark of plane.querySelectorAll("i")) {
        mark.style.left = `${(100 * column) / columns.length}%`;
        mark.style.top = `${(100 * (rows.length - 1 - row)) / rows.length}%`;
        mark.style.width = `${100 / columns.length}%`;
        mark.style.height = `${100 / rows.length}%`;
      }
    };
    const play = () => {
      sound ??= new AudioContext();
      const [now, pitches] = [sound.currentTime, [rows[place[0]], columns[place[1]]]];
      for (const pitch of pitches) {
        const [tone, gain] = [sound.createOscillator(), sound.createGain()];
        tone.type = "triangle";
        tone.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
        gain.gain.setValueAtTime(0, now);
        gain.gain.linearRampToValueAtTime(0.18, now + 0.02);
        gain.gain.exponentialRampToValueAtTime(0.001, now + 1.2);
        tone.connect(gain).connect(sound.destination);
        tone.start(now);
        tone.stop(now + 1.2);
      }
      root.dataset.played = pitches.join(" ");
    };
    const draw = () => {
      const { pictures, words: text, wrong } = model.get("_state");
      if (plane.childElementCount !== pictures.length) {
        plane.innerHTML = pictures.map(() => `<figure><figcaption></figcaption><div><canvas></canvas><i></i></div></figure>`).join("");
      }
      pictures.forEach(([name, values], n) => {
        const [caption, canvas] = ["figcaption", "canvas"].map((part) => plane.children[n].querySelector(part));
        const most = Math.max(...values) || 1;
        caption.textContent = name;
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", `${name}: ${upper} upwards, ${lower} to the right`);
        [canvas.width, canvas.height] = [columns.length, rows.length];
        const ink = canvas.getContext("2d");
        values.forEach((value, i) => {
          // The square root lets the rare pairs be seen beside the frequent ones.
          const colour = name.startsWith("D") ? probability(value) : share(Math.sqrt(value / most));
          ink.fillStyle = `rgb(${colour})`;
          ink.fillRect(i % columns.length, rows.length - 1 - Math.floor(i / columns.length), 1, 1);
        });
      });
      words.textContent = text;
      words.classList.toggle("wrong", wrong);
      root.ariaBusy = "false";
      describe();
    };
    const point = (event) => {
      const canvas = event.target.closest("canvas");
      if (!canvas) return false;
      const box = canvas.getBoundingClientRect();
      const cell = (share, count) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
      place = [
        rows.length - 1 - cell((event.clientY - box.top) / box.height, rows.length),
        cell((event.clientX - box.left) / box.width, columns.length),
      ];
      describe();
      return true;
    };
    plane.addEventListener("pointermove", point);
    plane.addEventListener("click", (event) => point(event) && play());
    plane.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (step) {
        const ends = [rows.length, columns.length];
        place = place.map((at, i) => Math.min(ends[i] - 1, Math.max(0, at + step[i])));
        describe();
      } else if (event.key === "Enter" || event.key === " ") play();
      else return;
      event.preventDefault();
    });
    model.on("change:_state", draw);
    draw();
    return () => {
      model.off("change:_state", draw);
      sound?.close();
    };
  },
};
