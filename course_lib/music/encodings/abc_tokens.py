"""Folk tunes as tokens: ABC ⇄ tokens ⇄ numbers, and tokens → Piece.

A token is a metre, a mode, a pitch, a length, a bar line, or a sign of the ABC notation that stands between notes:
``M:6/8 K:Cmaj |: G c 2 e | ...``. Every tune stands on the root C with its own mode, as in folk-rnn, and each note
outside the key carries its accidental: a pitch token alone gives the pitch. Joined, tokens are ABC again.

Source: Sturm, Santos, Ben-Tal & Korshunova (2016), arXiv:1604.08723. Notebook: 05.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from course_lib.music.errors import MusicError, UnreadableFile
from course_lib.music.files import read_bytes
from course_lib.music.formats.abc import (
    SIGNS,
    TOKEN,
    Accidentals,
    broken_rhythm,
    default_unit,
    key_and_signature,
    metre_of,
    midi_pitch,
    note_length,
    tuplet_normal,
    unit_length,
)
from course_lib.music.keys import LETTERS, MODES
from course_lib.music.piece import Piece
from course_lib.symbols import END, PAD, START

STEPS_PER_QUARTER = 24
"""Time steps in a quarter note of ``tokens_to_piece``: enough for triplets of sixteenths and for dotted ones."""

TEMPI = {(2, 4): 80, (2, 2): 160, (4, 4): 140, (6, 8): 150, (9, 8): 150, (12, 8): 150, (3, 8): 90}
"""Quarters per minute at which tunes in these metres are played here, as for dancing; others at 120."""

MODE_TOKENS = {f"K:C{mode[:3]}": mode for mode in MODES}
_PITCH = re.compile(r"(\^\^|\^|=|__|_|)([A-Ga-g])(,*|'*)")
_METRE = re.compile(r"M:(\d+)/(\d+)")
_LENGTH = re.compile(r"(\d*)(/?)(\d*)")
_TUPLET = re.compile(r"\((\d)")
_LETTERS = "".join(LETTERS)
_ACCIDENTALS = {alteration: sign for sign, alteration in SIGNS.items()}
_MIDDLE = 72


class NotATune(MusicError):
    """An ABC tune that these tokens cannot hold, or tokens that are no tune."""


class _Note(NamedTuple):
    """A note on its staff place: 7 · octave + letter, from middle C up; alter: from its key's signature."""

    place: int
    alter: int
    length: Fraction
    tied: bool


def is_bar_line(token: str) -> bool:
    """Whether a token is one of ``|``, ``||``, ``|]``, ``|:``, ``:|``, ``::``, ``|1``, ``:|2`` and the like."""
    return "|" in token or token == "::"


def is_note(token: str) -> bool:
    """Whether a token is a pitch or the rest ``z``; its length follows if it is not 1."""
    return token == "z" or _PITCH.fullmatch(token) is not None


def abc_to_tokens(tune: str) -> list[str]:
    """The tokens of one ABC tune, transposed to the root C in the octave whose mean pitch is nearest to c (MIDI 72).

    Grace notes, chord names, slurs, ornaments and words are left out; of a chord the highest note stays, of ties those
    between equal pitches. Raises NotATune, with the reason, for what has no tokens: no metre or key, a metre that
    changes, several voices, unusual tuplets.
    """
    metre, mode, tonic, items = _read(tune)
    notes = [item for item in items if isinstance(item, _Note)]
    if not notes:
        raise NotATune("the tune has no notes.")
    signature = key_and_signature(f"C{mode}")[1]

    def midi(note: _Note, shift: int) -> int:
        return midi_pitch(note.place + shift, signature[_LETTERS[(note.place + shift) % 7]] + note.alter)

    shift = -tonic
    mean = sum(midi(note, shift) for note in notes) / len(notes)
    shift += 7 * round((_MIDDLE - mean) / 12)
    tokens = ["M:{}/{}".format(*metre), f"K:C{mode[:3]}"]
    altered: dict[str, int] = {}
    for i, item in enumerate(items):
        if isinstance(item, str):
            if is_bar_line(item):
                altered = {}
            tokens.append(item)
        elif isinstance(item, Fraction):
            tokens += ["z", *_length(item)]
        else:
            octave, letter = divmod(item.place + shift, 7)
            name = _LETTERS[letter]
            alter = signature[name] + item.alter
            if abs(alter) > 2:
                raise NotATune(f"on the root C a note would need {abs(alter)} accidentals.")
            sign = _ACCIDENTALS[alter] if item.alter or altered.get(name, signature[name]) != alter else ""
            if sign:
                altered[name] = alter
            height = f"{name.lower()}{chr(39) * (octave - 1)}" if octave > 0 else f"{name}{',' * -octave}"
            tokens += [sign + height, *_length(item.length)]
            after = next((x for x in items[i + 1 :] if isinstance(x, _Note | Fraction)), None)
            if item.tied and isinstance(after, _Note) and (after.place, after.alter) == (item.place, item.alter):
                tokens.append("-")
    return tokens


def _read(tune: str) -> tuple[tuple[int, int], str, int, list[_Note | Fraction | str]]:
    """Metre, mode, letter of the tonic (0 = C), and the tune's notes, rests (a Fraction) and other tokens."""
    head = re.search(r"^K:[^\n]*", tune, re.MULTILINE)
    if head is None:
        raise NotATune("the tune has no key. Add a line such as 'K:G' before the notes.")
    fields = dict(re.findall(r"^([LMK]):([^\n]*)", tune[: head.end()], re.MULTILINE))
    metre = metre_of(fields.get("M", "none"))
    key, signature = key_and_signature(fields["K"])
    if metre is None or key is None:
        raise NotATune(f"metre '{fields.get('M')}', key '{fields['K']}'; both are needed, as in 'M:6/8' and 'K:Em'.")
    mode = key.split(" ")[1]
    home = key_and_signature(key)[1]
    target = default_unit(metre)
    unit = _unit(fields["L"]) if "L" in fields else target
    items: list[_Note | Fraction | str] = []
    accidentals = Accidentals(signature)
    for token in TOKEN.finditer(tune, head.end()):
        kind, part = token.lastgroup, token.groupdict()
        if part["inline"] or part["field"]:
            name, value = (part["inline"], part["inline_value"]) if part["inline"] else (part["field"], part["value"])
            if name == "M" and metre_of(value) != metre:
                raise NotATune(f"the metre changes to '{value.strip()}'.")
            if name == "V":
                raise NotATune("it has voices.")
            if name == "L":
                unit = _unit(value)
            elif name == "K":
                accidentals.signature, accidentals.in_bar = key_and_signature(value)[1], {}
        elif part["chord"] or part["note"]:
            if part["note"]:
                chord, length = [part["note"]], _fraction(part["length"])
            else:
                found = re.findall(r"((?:\^\^|\^|=|__|_)?[A-Ga-g][,']*)(\d*/*\d*)", part["chord"])
                if not found:
                    continue
                chord, length = [text for text, _ in found], _fraction(found[0][1]) * _fraction(part["chord_length"])
            place, alteration = max(accidentals.read(text) for text in chord)
            accidentals.tied = {}
            items.append(_Note(place, alteration - home[_LETTERS[place % 7]], length * unit / target, False))
        elif part["rest"]:
            items.append(_fraction(part["rest_length"]) * unit / target)
            accidentals.tied = {}
        elif kind == "bars":
            raise NotATune("it rests for whole bars.")
        elif kind == "bar":
            accidentals.in_bar = {}
            items.append(token[0])
        elif part["actual"]:
            items.append(_tuplet(part, metre))
        elif kind == "broken" and items and not isinstance(items[-1], str):
            items.append(part["broken"])
        elif kind == "tie" and items and isinstance(items[-1], _Note):
            items[-1] = items[-1]._replace(tied=True)
            place, alteration = items[-1][:2]
            accidentals.tied = {place: alteration + home[_LETTERS[place % 7]]}
    return metre, mode, _LETTERS.index(key[0]), _with_bar_lines(items)


def _with_bar_lines(items: list[_Note | Fraction | str]) -> list[_Note | Fraction | str]:
    """The same with one token for all bar lines between two notes; the last one is ``|]`` or ``:|``."""
    result: list[_Note | Fraction | str] = []
    between = ""
    for item in [*items, None]:
        if isinstance(item, str) and set(item) & set("|:[") and item[0] != "(":
            between += item
            continue
        if between or item is None:
            end = re.match(r":|\|+:\|", between.replace(" ", "")) is not None and between != ":"
            begin = between.endswith(":") and item is not None
            number = re.search(r"\d", between)
            if item is None:
                line = ":|" if end else "|]"
            elif not result:
                line = "|:" if begin else ""
            elif end and begin:
                line = "::"
            elif number:
                line = f"{':' * end}|{number[0]}"
            else:
                line = ":|" if end else "|:" if begin else "||" if re.search(r"\|\||\]|\[\|", between) else "|"
            result += [line] * bool(line)
            between = ""
        if item is not None:
            result.append(item)
    return result


def _tuplet(part: dict[str, str | None], metre: tuple[int, int]) -> str:
    actual = int(part["actual"] or 0)
    normal = tuplet_normal(actual, metre)
    if int(part["normal"] or normal) != normal or int(part["count"] or actual) != actual:
        raise NotATune(f"a tuplet ({actual}:{part['normal']}:{part['count']}.")
    return f"({actual}"


def _unit(value: str) -> Fraction:
    unit = unit_length(value)
    if unit is None:
        raise NotATune(f"the unit length 'L:{value}'; write it as in 'L:1/8'.")
    return unit


def _fraction(text: str | None) -> Fraction:
    """A length such as ``3/2``, ``//`` or none, in units."""
    try:
        length = note_length(text or "")
    except UnreadableFile as error:
        raise NotATune(str(error)) from error
    if not length:
        raise NotATune(f"a note has the length '{text}'.")
    return length


def _length(length: Fraction) -> list[str]:
    if length == 1:
        return []
    over = "" if length.numerator == 1 and length.denominator > 1 else str(length.numerator)
    return [over if length.denominator == 1 else f"{over}/{length.denominator}"]


def tokens_to_abc(tokens: Sequence[str], title: str = "", number: int = 1) -> str:
    """The tune as ABC, one section a line. Raises NotATune, as ``check_tokens``.

    ``abc_to_tokens`` gives the same tokens back for every tune of the data set.
    """
    check_tokens(tokens)
    metre, key, *body = tokens
    time = metre_in(tokens)
    text = "".join(f" {t} " if is_bar_line(t) else t for t in body).strip()
    text = re.sub(r"(:\||\|\||::) ", r"\1\n", text)
    fields = f"{metre}\nL:{default_unit(time)}\nQ:1/4={TEMPI.get(time, 120)}\n{key}"
    return f"X:{number}\nT:{title}\n{fields}\n{text}\n"


def tokens_to_piece(tokens: Sequence[str], title: str = "") -> Piece:
    """The tune as it sounds, repeats as written, on a grid of ``STEPS_PER_QUARTER``. Raises NotATune, MusicError."""
    return read_bytes(tokens_to_abc(tokens, title).encode(), title or "the tune", STEPS_PER_QUARTER)


def metre_in(tokens: Sequence[str]) -> tuple[int, int]:
    """The metre, from the first token. Raises NotATune."""
    match = _METRE.fullmatch(tokens[0]) if tokens else None
    if not match:
        raise NotATune(f"the first token is {tokens[:1]}; it must be a metre such as 'M:6/8'.")
    return int(match[1]), int(match[2])


def check_tokens(tokens: Sequence[str]) -> None:
    """Raises NotATune, with the place, unless the tokens are a tune: metre, mode, then notes between bar lines.

    A length stands after a note, a tie after a pitch or its length, ``>`` and ``<`` between two notes, a tuplet sign
    before one; no bar line follows another, and the last token is ``|]`` or ``:|``.
    """
    metre_in(tokens)
    if len(tokens) < 4 or tokens[1] not in MODE_TOKENS or tokens[-1] not in ("|]", ":|"):
        raise NotATune(
            f"{len(tokens)} tokens, the second {tokens[1:2]}, the last {tokens[-1:]}; a tune begins with metre and "
            f"mode ({', '.join(MODE_TOKENS)}) and ends with '|]' or ':|'."
        )
    before = "start"
    follows = {
        "note": {"start", "note", "length", "tie", "between", "bar", "tuplet"},
        "length": {"note"},
        "tie": {"note", "length"},
        "between": {"note", "length", "tie"},
        "tuplet": {"start", "note", "length", "tie", "bar"},
        "bar": {"start", "note", "length", "tie"},
    }
    for place, token in enumerate(tokens[2:], 2):
        kind = _kind(token)
        if kind is None or before not in follows[kind] or (before == "start" and is_bar_line(token) and token != "|:"):
            raise NotATune(f"token {place}, '{token}', cannot stand after '{tokens[place - 1]}'.")
        if token == "|]" and place < len(tokens) - 1:
            raise NotATune(f"token {place}, '|]', ends the tune, but {len(tokens) - 1 - place} tokens follow it.")
        before = kind
    if not any(is_note(token) for token in tokens):
        raise NotATune("the tune has no notes.")


def _kind(token: str) -> str | None:
    if is_bar_line(token):
        return "bar"
    if is_note(token):
        return "note"
    if token == "-":
        return "tie"
    if token and not token.strip("<>"):
        return "between"
    if _TUPLET.fullmatch(token):
        return "tuplet"
    return "length" if token and token != "/" and _LENGTH.fullmatch(token) else None


class Bar(NamedTuple):
    """A bar of a tune: its length in whole notes, the bar line that ends it, and the tokens between the lines."""

    length: Fraction
    line: str
    tokens: tuple[str, ...]


def tune_bars(tokens: Sequence[str]) -> list[Bar]:
    """Every bar of a tune; an empty bar counts, too. Raises NotATune. Notebook: 05."""
    check_tokens(tokens)
    metre = metre_in(tokens)
    found: list[Bar] = []
    notes: list[Fraction] = []
    first = 2
    factor, left, broken = Fraction(1), 0, Fraction(1)
    for place, token in enumerate(tokens[2:], 2):
        kind = _kind(token)
        if kind == "bar":
            if notes or found:
                found.append(Bar(sum(notes, Fraction(0)) * default_unit(metre), token, tuple(tokens[first:place])))
            notes, first = [], place + 1
        elif kind == "tuplet":
            left = int(token[1])
            factor = Fraction(tuplet_normal(left, metre), left)
        elif kind == "note":
            notes.append(broken * (factor if left else 1))
            left, broken = max(left - 1, 0), Fraction(1)
        elif kind == "length":
            notes[-1] *= _fraction(token)
        elif kind == "between":
            before, broken = broken_rhythm(token)
            if notes:
                notes[-1] *= before
    return found


def tune_pitches(tokens: Sequence[str]) -> np.ndarray:
    """int (notes,): the MIDI pitch of every note, as ABC reads it; a note and what is tied to it are one.

    Raises NotATune. Notebook: 05.
    """
    check_tokens(tokens)
    accidentals = Accidentals(key_and_signature(f"C{MODE_TOKENS[tokens[1]]}")[1])
    found: list[int] = []
    tied = None  # what the last note is tied to: staff place and alteration
    last = None
    for token, after in zip(tokens[2:], [*tokens[3:], ""], strict=True):
        if is_bar_line(token):
            accidentals.in_bar = {}
        elif is_note(token):
            last = None if token == "z" else accidentals.read(token)
            if last and last != tied:
                found.append(midi_pitch(*last))
            tied = None
        if after == "-":
            tied = last
        accidentals.tied = dict([tied]) if tied else {}
    return np.array(found, int)


@dataclass(frozen=True)
class Vocabulary:
    """Tokens ⇄ numbers. 0 is padding, 1 the start and 2 the end of a tune; then ``tokens`` in their order."""

    tokens: tuple[str, ...]

    def __len__(self) -> int:
        """Number of different numbers, the three signs included."""
        return len(self.tokens) + 3

    @property
    def names(self) -> tuple[str, ...]:
        """What each number stands for."""
        return ("padding", "start", "end", *self.tokens)

    def encode(self, tokens: Iterable[str]) -> np.ndarray:
        """int32 (tokens + 2,): start, the tune, end. Raises NotATune for a token that is not in the vocabulary."""
        number = {token: i for i, token in enumerate(self.tokens, 3)}
        try:
            return np.array([START, *(number[token] for token in tokens), END], np.int32)
        except KeyError as error:
            raise NotATune(f"token {error} is not among the {len(self.tokens)} of this vocabulary.") from None

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """The tokens from after the start to before the end or the first padding. Raises NotATune."""
        tokens = []
        for i, number in enumerate(np.asarray(numbers).tolist()):
            if number == START and i == 0:
                continue
            if number in (PAD, END):
                break
            if not 3 <= number < len(self):
                raise NotATune(f"number {number} at place {i}; tokens are 3..{len(self) - 1}.")
            tokens.append(self.tokens[number - 3])
        return tokens
