// Real or generated? The kernel keeps the truth until the answer is given.
export default {
  render({ model, el }) {
    const root = el.appendChild(document.createElement("div"));
    root.className = "turing-game";
    root.dataset.lmSuppressShortcuts = "true"; // a key pressed here is none of JupyterLab's shortcuts
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", "Turing test: is the piece below real or generated?");
    root.tabIndex = 0;
    root.innerHTML =
      `<p class="question" role="status"></p><div class="tools"><button type="button" value="real">Real (R)</button>` +
      `<button type="button" value="generated">Generated (G)</button><button type="button" class="plain" ` +
      `value="next"></button><label class="levels">level <select></select></label></div>` +
      `<p class="answer" role="status"></p><p class="score"></p>`;
    const [question, answer, score] = [".question", ".answer", ".score"].map((part) => root.querySelector(part));
    const buttons = Object.fromEntries([...root.querySelectorAll("button")].map((button) => [button.value, button]));
    const levels = root.querySelector("select");
    levels.innerHTML = model.get("_levels").map(() => "<option></option>").join("");
    model.get("_levels").forEach((name, i) => (levels.options[i].textContent = name));
    root.querySelector(".levels").hidden = model.get("_levels").length < 2;

    const show = () => {
      const state = model.get("_state");
      question.textContent = state.question;
      answer.textContent = state.answer;
      answer.className = `answer ${state.answer.startsWith("Right") ? "right" : "wrong"}`;
      score.textContent = state.score;
      buttons.real.disabled = buttons.generated.disabled = state.answered;
      buttons.next.disabled = !state.answered;
      buttons.next.textContent = `${state.next} (N)`;
      levels.value = model.get("level");
    };
    const send = (what) => {
      if (buttons[what].disabled) return;
      if (buttons[what] === document.activeElement) root.focus(); // for it is about to be disabled
      model.send(what);
    };
    for (const button of Object.values(buttons)) button.addEventListener("click", () => send(button.value));
    root.addEventListener("keydown", (event) => {
      const what = { r: "real", g: "generated", n: "next" }[event.key.toLowerCase()];
      if (!what || event.ctrlKey || event.altKey || event.metaKey || event.target === levels) return;
      event.preventDefault();
      send(what);
    });
    levels.addEventListener("change", () => {
      model.set("level", levels.value);
      model.save_changes();
    });
    model.on("change:_state change:level", show);
    show();
    return () => model.off("change:_state change:level", show);
  },
};
