// Twelve keys of three states. The kernel answers each change with probabilities and a chord.
const STATES = { [-1]: ["free", ""], 0: ["silent", "off"], 1: ["sounds", "on"] };
const NEXT = { [-1]: 1, 1: 0, 0: -1 };

export default {
  render({ model, el }) {
    const root = el.appendChild(document.createElement("div"));
    root.className = "chord-board";
    root.dataset.lmSuppressShortcuts = "true"; // a key pressed here is none of JupyterLab's shortcuts
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", "Chord board: twelve pitch classes, each free, sounding or silent");
    root.innerHTML =
      `<div class="keys"></div><div class="tools"><button type="button" class="another">Another chord</button>` +
      `<button type="button" class="plain clear">Free all</button><label>temperature <input type="range" min="0.3" ` +
      `max="3" step="0.1"><output></output></label></div><p class="status" role="status"></p>`;
    const names = model.get("_names");
    const keys = names.map(() => {
      const key = root.querySelector(".keys").appendChild(document.createElement("button"));
      key.type = "button";
      key.innerHTML = "<i></i><b></b><small></small>";
      return key;
    });
    const heat = root.querySelector("input");
    const shownHeat = root.querySelector("output");
    const status = root.querySelector(".status");

    const set = (place, state) => {
      const fixed = [...model.get("fixed")];
      fixed[place] = state;
      model.set("fixed", fixed);
      model.save_changes();
    };
    const show = () => {
      const fixed = model.get("fixed");
      const { probabilities, chord, text, wrong } = model.get("_state");
      keys.forEach((key, i) => {
        const [word, style] = STATES[fixed[i]];
        const percent = Math.round(100 * probabilities[i]);
        key.className = `${style} ${chord[i] ? "drawn" : ""}`;
        const [bar, name, detail] = key.children;
        bar.style.height = `${percent}%`;
        name.textContent = names[i];
        detail.innerHTML = `${percent} %<br>${word}`;
        const drawn = chord[i] ? ", in the chord" : "";
        key.setAttribute("aria-label", `${names[i]}: ${word}, probability ${percent} percent${drawn}`);
      });
      heat.value = model.get("temperature");
      shownHeat.value = model.get("temperature").toFixed(1);
      status.textContent = text;
      status.classList.toggle("wrong", wrong);
    };

    keys.forEach((key, i) => {
      key.tabIndex = i ? -1 : 0; // one stop for Tab; the arrow keys go on from there
      const focus = (other) => {
        keys.forEach((each) => (each.tabIndex = -1));
        keys[other].tabIndex = 0;
        keys[other].focus();
      };
      key.addEventListener("click", () => set(i, NEXT[model.get("fixed")[i]]));
      key.addEventListener("focus", () => keys.forEach((each) => (each.tabIndex = each === key ? 0 : -1)));
      key.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
        if (step) focus((i + step + 12) % 12);
        else if (event.key === "Delete" || event.key === "Backspace") set(i, -1);
        else return;
        event.preventDefault();
      });
    });
    root.querySelector(".another").addEventListener("click", () => {
      model.set("_draws", model.get("_draws") + 1);
      model.save_changes();
    });
    root.querySelector(".clear").addEventListener("click", () => {
      model.set("fixed", names.map(() => -1));
      model.save_changes();
    });
    heat.addEventListener("input", () => (shownHeat.value = (+heat.value).toFixed(1)));
    heat.addEventListener("change", () => {
      model.set("temperature", +heat.value);
      model.save_changes();
    });
    const changes = ["fixed", "temperature", "_state"].map((name) => `change:${name}`).join(" ");
    model.on(changes, show);
    show();
    return () => model.off(changes, show);
  },
};
