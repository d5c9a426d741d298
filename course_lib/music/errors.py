"""What can be wrong with music and with files of it. Each message names the value, the range and the remedy."""


class MusicError(ValueError):
    """Something about the music is not as asked."""


class PitchOutOfRange(MusicError):
    """A pitch lies outside MIDI 0..127 or outside what an encoding holds."""


class WrongVoices(MusicError):
    """The number of voices is not the one asked for."""


class WrongMetre(MusicError):
    """The time signature or the length does not fit what is asked for."""


class UnreadableFile(MusicError):
    """A file is missing, damaged, or holds what cannot be."""


class NotMusic(UnreadableFile):
    """A file is neither MIDI nor MusicXML nor ABC."""


class EmptyScore(MusicError):
    """A file can be read, but there is no note in it."""


class TooLarge(MusicError):
    """A file has more bytes, notes or voices than are read."""


class TooLong(TooLarge):
    """A file lasts longer than is read."""


class SeveralTunes(MusicError):
    """A file holds several tunes where one is asked for."""


class MusicWarning(UserWarning):
    """Something in a file could not be kept as it was; the message names it."""
