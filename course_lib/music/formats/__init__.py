"""How each file format says music, and what they all become first. The door to them is ``course_lib.music.files``."""
