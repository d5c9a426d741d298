"""``Slideshow``: pictures that follow one another, with a slider and a play button, in one piece of HTML."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from html import escape
from itertools import count

from course_lib.show.plots import Picture

_OURS = 'data-lm-suppress-shortcuts="true"'  # a key pressed here is none of JupyterLab's shortcuts

_BUTTON = "padding:4px 14px;border:0;border-radius:6px;background:#0072b2;color:#fff;cursor:pointer"

_number = count(1)

_SCRIPT = """
document.querySelectorAll("#NAME:not([data-alive])").forEach((root) => {
  root.dataset.alive = "";
  const [picture, keys, button, slider, shown] =
    ["img", ".keys", "button", "input", "output"].map((part) => root.querySelector(part));
  const frames = JSON.parse(root.querySelector("script").textContent);
  let timer;
  const show = (place) => {
    const [label, alt, source] = frames[place];
    slider.value = place;
    picture.src = `data:image/png;base64,${source}`;
    picture.alt = alt;
    shown.value = label;
    slider.setAttribute("aria-valuetext", label);
  };
  const stop = () => { clearInterval(timer); timer = undefined; button.textContent = "Play"; };
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (+slider.value === frames.length - 1) show(0);
    button.textContent = "Stop";
    timer = setInterval(() => {
      if (!root.isConnected || +slider.value >= frames.length - 1) return stop();
      show(+slider.value + 1);
    }, PAUSE);
  });
  slider.addEventListener("input", () => { stop(); show(+slider.value); });
  keys.style.display = "flex";
  show(frames.length - 1);
});
"""


class Slideshow:
    """Pictures to step through. It needs no kernel: a saved page plays too; where no script runs, the last stands.

    pictures: from ``figure``, all of one size. labels: what stands beside the slider, one a picture.
    title: names it for screen readers. pause: seconds between two pictures while it plays.

    Raises ValueError when pictures and labels do not pair. Notebook: 03.
    """

    def __init__(self, pictures: Sequence[Picture], labels: Sequence[str], title: str, pause: float = 0.5) -> None:
        if not pictures or len(pictures) != len(labels):
            raise ValueError(f"{len(pictures)} pictures and {len(labels)} labels. Give a label for each picture.")
        self.pictures, self.labels, self.title, self.pause = list(pictures), list(labels), title, pause

    def __repr__(self) -> str:
        return f"{self.title}: {len(self.pictures)} pictures, the last: {self.pictures[-1].alt}"

    def _repr_html_(self) -> str:
        frames = [
            (label, picture.alt, base64.b64encode(picture.png).decode())
            for label, picture in zip(self.labels, self.pictures, strict=True)
        ]
        data = json.dumps(frames, ensure_ascii=False).replace("</", "<\\/")
        name = f"slideshow-{zlib.crc32(data.encode()):08x}-{next(_number)}"
        script = _SCRIPT.replace("NAME", name).replace("PAUSE", str(round(1000 * self.pause)))
        return (
            f'<div id="{name}" role="group" aria-label="{escape(self.title)}" '
            f'style="max-width:{self.pictures[-1].width}px">'
            f"{self.pictures[-1]._repr_html_()}"
            '<div class="keys" style="display:none;gap:10px;align-items:center;font:14px system-ui,sans-serif">'
            f'<button type="button" {_OURS} style="{_BUTTON}">Play</button>'
            f'<input type="range" min="0" max="{len(frames) - 1}" step="1" {_OURS} '
            f'aria-label="Picture of {escape(self.title)}" style="flex:1;min-width:60px;accent-color:#0072b2">'
            '<output style="min-width:7em"></output></div>'
            f'<script type="application/json">{data}</script><script>{script}</script></div>'
        )
