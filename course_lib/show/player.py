"""``Player``: the panel as a widget whose piece can be replaced while the page stands."""

from __future__ import annotations

from collections.abc import Sequence

import anywidget
import traitlets

from course_lib.music.piece import Piece
from course_lib.show import roll
from course_lib.show.audio import mp3, synthesize
from course_lib.show.panel import CSS, JAVASCRIPT, markup

_RENDER = """
export default {
  render({ model, el }) {
    let player, url;
    const show = () => {
      const [time, playing, open] = [player?.now(), player?.playing(), el.querySelector("details")?.open];
      player?.stop();
      el.innerHTML = `<div class="listen">${model.get("_markup")}</div>`;
      const sound = model.get("_sound"); // a view of the message: the player gets a copy of its own
      const bytes = sound.buffer.slice(sound.byteOffset, sound.byteOffset + sound.byteLength);
      URL.revokeObjectURL(url);
      url = URL.createObjectURL(new Blob([bytes], { type: "audio/mpeg" }));
      el.querySelector(".sound").href = url;
      el.querySelector("details").open = open ?? false;
      player = mountPanel(el.firstElementChild, bytes);
      if (playing) player.play(time);
    };
    model.on("change:_markup", show);
    show();
    return () => { model.off("change:_markup", show); player.stop(); };
  },
};
"""


class Player(anywidget.AnyWidget):
    """The panel of ``listen`` for one piece, as a widget: ``player.piece = other`` changes it in place.

    A sound that plays goes on with the new piece at the same place. A saved page shows no widgets: put a
    ``listen`` beside it. title: the piece's own where None. caption: stands above. instruments: as in
    ``synthesize``. They may be set anew before the piece.
    """

    _esm = JAVASCRIPT + _RENDER
    _css = CSS
    _markup = traitlets.Unicode().tag(sync=True)
    _sound = traitlets.Bytes().tag(sync=True)

    def __init__(
        self,
        piece: Piece,
        title: str | None = None,
        caption: str = "",
        instruments: str | int | Sequence[str | int] | None = None,
    ) -> None:
        self.title, self.caption, self.instruments = title, caption, instruments
        super().__init__(**self._state(piece))
        self._piece = piece

    @property
    def piece(self) -> Piece:
        """The piece that is shown; setting it changes sound, roll, score and downloads."""
        return self._piece

    @piece.setter
    def piece(self, piece: Piece) -> None:
        state = self._state(piece)
        with self.hold_sync():  # one message: picture and sound change together
            for name, value in state.items():
                setattr(self, name, value)
        self._piece = piece

    def __repr__(self) -> str:
        return f"Player. {roll.alt_text(self._piece)}"

    def _state(self, piece: Piece) -> dict[str, str | bytes]:
        title = piece.title or "Untitled" if self.title is None else self.title
        return {
            "_markup": markup([piece], [title], self.caption),
            "_sound": mp3(*synthesize(piece, self.instruments)),
        }
