// The atlas of an explorer: in a saved page, where no kernel runs, it answers from arrays and makes the sound itself.

// The side of a saved page: what the kernel would answer stands in arrays.
function arrays({ plane, centre, atlas }) {
  const all = new Int16Array(decoded(atlas.bars));
  const starts = atlas.sizes.reduce((sums, size) => [...sums, sums.at(-1) + 5 * size], [0]);
  let listener;
  return {
    send({ kind, id, code, form: drawn, sound: wanted }) {
      if (kind !== "move") return;
      const [column, row] = nearestCell(plane, centre, atlas, code), cell = row * atlas.n + column;
      const bars = all.subarray(starts[cell], starts[cell + 1]), answer = atlas.answers[cell];
      const frame = atlas.frames[answer.form], other = answer.form === drawn ? {} : { frame };
      queueMicrotask(() => {
        listener({ kind: "roll", id, code, ...answer, ...other }, [bars]);
        if (wanted) listener({ kind: "sound", id }, [() => synthesised(bars, frame, atlas.sound)]);
      });
    },
    listen(callback) {
      listener = callback;
      return () => {};
    },
  };
}

// A loop of the notes from partials as strong as the instruments': an AudioBuffer.
async function synthesised(bars, { step, seconds }, { attack, rate, voices }) {
  const tail = 0.5, fall = 0.06;
  const studio = new OfflineAudioContext(1, Math.ceil((seconds + tail) * rate), rate);
  const waves = voices.map(({ pitches, partials }) => {
    const strengths = new Uint8Array(decoded(partials)), count = strengths.length / Math.max(pitches.length, 1);
    return pitches.map((_, i) => {
      const imag = new Float32Array(count + 1);
      for (let k = 0; k < count; k++) imag[k + 1] = 10 ** ((strengths[i * count + k] / 2.5 - 100) / 20);
      return new PeriodicWave(studio, { real: new Float32Array(count + 1), imag, disableNormalization: true });
    });
  });
  for (let i = 0; i < bars.length; i += 5) {
    const voice = bars[i], pitch = pitchOf(bars, i);
    const begin = (Math.max(bars[i + 1], 0) / FINE) * step, end = (bars[i + 2] / FINE) * step;
    const { pitches, swell } = voices[voice];
    const sample = pitches.findLastIndex((known) => known <= pitch);
    const frequency = 440 * 2 ** ((pitch - 69) / 12);
    const tone = new OscillatorNode(studio, { frequency, periodicWave: waves[voice][sample] });
    const volume = new GainNode(studio, { gain: 0 });
    volume.gain.setValueAtTime(0, begin);
    attack.forEach((time, k) => {
      if (time && begin + time < end) volume.gain.linearRampToValueAtTime(swell[k], begin + time);
    });
    volume.gain.setTargetAtTime(0, end, fall);
    tone.connect(volume).connect(studio.destination);
    tone.start(begin);
    tone.stop(Math.min(end + 6 * fall, seconds + tail));
  }
  const samples = (await studio.startRendering()).getChannelData(0), length = Math.round(seconds * rate);
  for (let i = length; i < samples.length; i++) samples[i % length] += samples[i]; // what dies away goes to the start
  let power = 0, peak = 1e-6;
  for (let i = 0; i < length; i++) {
    power += samples[i] ** 2;
    peak = Math.max(peak, Math.abs(samples[i]));
  }
  const gain = Math.min(10 ** (-18 / 20) / Math.sqrt(power / length + 1e-12), 0.9 / peak);
  const buffer = new AudioBuffer({ length, sampleRate: rate });
  buffer.copyToChannel(samples.subarray(0, length).map((value) => value * gain), 0);
  return buffer;
}
