// The player of listen(), of Player and of the explorer: sound, cursor in the roll, keyboard. One source for all.

const PLAY = "M7 4v16l13-8z", PAUSE = "M6 4h4v16H6zM14 4h4v16h-4z";

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

const TRANSPORT = `<button type="button" title="Play or pause (space)"><svg viewBox="0 0 24 24" aria-hidden="true"><path/></svg>
</button><input type="range" min="0" step="any"><output></output>`;

const sound = () => (window.courseSound ??= new AudioContext()); // one for all that sounds on the page

const COARSE = 0.14; // seconds by which the slider may be behind the cursor: at each frame it would take half the time
const FADE = 0.012; // seconds in which a sound comes and goes, so that nothing clicks

// bytes: the sound, where it does not stand in the page; a function gives an AudioBuffer. loop: until it is stopped.
function mountTake(take, bytes, loop = false) {
  take.querySelector(".transport").innerHTML = TRANSPORT;
  const find = (selector) => take.querySelector(selector);
  const [button, icon, slider, shown] = ["button", "button path", "input", "output"].map(find);
  const [scroll, grid, cursor, audio] = [".scroll", ".grid", ".cursor", "audio"].map(find);
  const { seconds, beat, bar, pickup, head, span } = JSON.parse(take.dataset.time);
  slider.max = seconds;
  slider.setAttribute("aria-label", `Position in ${take.getAttribute("aria-label")}`);
  for (const part of [button, slider]) part.dataset.lmSuppressShortcuts = "true"; // none of JupyterLab's keys here
  let buffer, source, begun, at = 0, wanted = 0, newest = 0, drawn = -1;

  const within = (time) => (loop ? time % seconds : Math.min(time, seconds));
  const elapsed = () => sound().currentTime - begun - (sound().outputLatency || 0);
  const now = () => within(source ? Math.max(elapsed(), at) : at);
  const decode = (data) => (typeof data === "function" ? data() : sound().decodeAudioData(data ?? decoded(audio.src)));

  function draw() {
    const time = now(), place = (time + head) / span;
    const x = place * grid.offsetWidth, seen = scroll.clientWidth, left = scroll.scrollLeft; // read first: one layout
    if (source && Math.abs(x - drawn) < 1) return; // less than a pixel: this frame need not be painted
    drawn = x;
    cursor.style.left = `${100 * place}%`;
    if (x < left || x > left + 0.9 * seen) scroll.scrollLeft = x - 0.1 * seen;
    if (source && Math.abs(time - slider.value) < COARSE) return;
    slider.value = time;
    const number = Math.floor((time - pickup) / bar + 1e-6) + 1;
    shown.value = `${clock(time)} / ${clock(seconds)}`;
    slider.setAttribute("aria-valuetext", `${number < 1 ? "pickup" : `bar ${number}`}, ${shown.value}`);
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
      hush();
    }
    icon.setAttribute("d", PLAY);
    button.setAttribute("aria-label", "Play");
    draw();
  }

  function hush() {
    const time = sound().currentTime;
    source.onended = null;
    source.volume.gain.cancelScheduledValues(time).setTargetAtTime(0, time, FADE / 4);
    source.stop(time + FADE);
    source = undefined;
  }

  function start(ready, from) {
    const time = sound().currentTime;
    source = new AudioBufferSourceNode(sound(), { buffer: ready, loop, loopEnd: seconds });
    source.volume = new GainNode(sound(), { gain: 0 });
    source.volume.gain.setValueAtTime(0, time).linearRampToValueAtTime(1, time + FADE);
    source.connect(source.volume).connect(sound().destination);
    source.onended = () => {
      stop();
      at = 0;
      draw();
      take.dispatchEvent(new CustomEvent("listen-ended"));
    };
    begun = time - from;
    source.start(0, from);
  }

  async function play(from = at) {
    stop();
    document.dispatchEvent(new CustomEvent("listen-play", { detail: take }));
    icon.setAttribute("d", PAUSE);
    button.setAttribute("aria-label", "Pause");
    const mine = (wanted += 1);
    buffer ??= decode(bytes);
    const [ready] = await Promise.all([buffer, sound().resume()]);
    if (mine !== wanted) return; // stopped or sent elsewhere meanwhile
    at = from < seconds ? Math.max(from, 0) : 0;
    start(ready, at);
    follow();
  }

  // Another sound of the same length instead of this one; what plays goes on in the middle of it.
  async function renew(next) {
    const mine = (newest += 1);
    bytes = next;
    if (!playing()) return (buffer = undefined);
    const ready = await decode(next);
    if (mine !== newest) return; // a newer one came meanwhile
    buffer = ready;
    if (!source) return playing() && play(at); // asked for, but not begun
    const from = (sound().currentTime - begun) % seconds;
    hush();
    start(ready, from);
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
  return { play, stop, playing, now, renew };
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
