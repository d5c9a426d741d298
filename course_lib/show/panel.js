// The player of listen() and of Player: sound, cursor in the roll, keyboard. One source for both.

const PLAY = "M7 4v16l13-8z", PAUSE = "M6 4h4v16H6zM14 4h4v16h-4z";

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

const TRANSPORT = `<button type="button" title="Play or pause (space)"><svg viewBox="0 0 24 24" aria-hidden="true"><path/></svg>
</button><input type="range" min="0" step="any"><output></output>`;

function mountTake(take, bytes) {
  take.querySelector(".transport").innerHTML = TRANSPORT;
  const find = (selector) => take.querySelector(selector);
  const [button, icon, slider, shown] = ["button", "button path", "input", "output"].map(find);
  const [scroll, grid, cursor, audio] = [".scroll", ".grid", ".cursor", "audio"].map(find);
  const { seconds, beat, bar, pickup, head, span } = JSON.parse(take.dataset.time);
  slider.max = seconds;
  slider.setAttribute("aria-label", `Position in ${take.getAttribute("aria-label")}`);
  for (const part of [button, slider]) part.dataset.lmSuppressShortcuts = "true"; // none of JupyterLab's keys here
  let buffer, source, begun, at = 0, wanted = 0;

  const sound = () => (window.courseSound ??= new AudioContext());
  const heard = () => sound().currentTime - begun - (sound().outputLatency || 0);
  const now = () => Math.min(source ? Math.max(heard(), at) : at, seconds);

  function draw() {
    const time = now(), place = (time + head) / span;
    slider.value = time;
    cursor.style.left = `${100 * place}%`;
    const number = Math.floor((time - pickup) / bar + 1e-6) + 1;
    shown.value = `${clock(time)} / ${clock(seconds)}`;
    slider.setAttribute("aria-valuetext", `${number < 1 ? "pickup" : `bar ${number}`}, ${shown.value}`);
    const x = place * grid.offsetWidth, seen = scroll.clientWidth;
    if (x < scroll.scrollLeft || x > scroll.scrollLeft + 0.9 * seen) scroll.scrollLeft = x - 0.1 * seen;
  }

  function follow() {
    if (!source) return;
    if (!take.isConnected) return stop(); // the output was cleared: silence
    draw();
    requestAnimationFrame(follow);
  }

  function stop() {
    wanted += 1;
    if (source) {
      at = now();
      source.onended = null;
      source.stop();
      source = undefined;
    }
    icon.setAttribute("d", PLAY);
    button.setAttribute("aria-label", "Play");
    draw();
  }

  async function play(from = at) {
    stop();
    document.dispatchEvent(new CustomEvent("listen-play", { detail: take }));
    icon.setAttribute("d", PAUSE);
    button.setAttribute("aria-label", "Pause");
    const mine = (wanted += 1);
    buffer ??= sound().decodeAudioData(bytes ?? decoded(audio.src));
    const [ready] = await Promise.all([buffer, sound().resume()]);
    if (mine !== wanted) return; // stopped or sent elsewhere meanwhile
    at = from < seconds ? Math.max(from, 0) : 0;
    source = new AudioBufferSourceNode(sound(), { buffer: ready });
    source.connect(sound().destination);
    source.onended = () => {
      stop();
      at = 0;
      draw();
      take.dispatchEvent(new CustomEvent("listen-ended"));
    };
    begun = sound().currentTime - at;
    source.start(0, at);
    follow();
  }

  const playing = () => button.getAttribute("aria-label") === "Pause";
  const toggle = () => (playing() ? stop() : play());

  function seek(time) {
    const place = Math.min(Math.max(time, 0), seconds);
    if (playing() && place < seconds) return play(place);
    stop();
    at = place;
    draw();
  }

  button.addEventListener("click", toggle);
  slider.addEventListener("input", () => seek(Number(slider.value)));
  grid.addEventListener("click", (event) => {
    const box = grid.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * span - head);
    button.focus({ preventScroll: true });
  });
  take.addEventListener("keydown", (event) => {
    if (event.target !== button && event.target !== slider) return;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const move = { ArrowLeft: -beat, ArrowRight: beat, ArrowDown: -bar, ArrowUp: bar, Home: -Infinity, End: Infinity };
    const space = event.key === " ";
    if (!space && !(event.key in move)) return;
    event.stopPropagation(); // or JupyterLab would scroll, or move on to another cell
    if (space && event.target === button) return; // the browser makes it a click
    event.preventDefault();
    if (space) toggle();
    else seek(now() + move[event.key]);
  });

  const others = (event) => {
    if (!take.isConnected) document.removeEventListener("listen-play", others);
    if (event.detail !== take && playing()) stop();
  };
  document.addEventListener("listen-play", others);
  if (audio?.src) find(".sound").href = audio.src;
  stop();
  return { play, stop, playing, now };
}

function decoded(url) {
  return Uint8Array.from(atob(url.slice(url.indexOf(",") + 1)), (letter) => letter.charCodeAt(0)).buffer;
}

// Makes a panel alive; bytes: the sound of its only take, where it does not stand in the page.
function mountPanel(panel, bytes) {
  panel.dataset.alive = "";
  panel.classList.add("alive");
  const takes = [...panel.querySelectorAll(".take")];
  const players = takes.map((take) => mountTake(take, bytes));
  takes.forEach((take, i) => take.addEventListener("listen-ended", () => players[i + 1]?.play(0)));
  return players[0];
}
