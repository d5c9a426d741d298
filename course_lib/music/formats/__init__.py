"""How each file format holds music, and what they all become first; ``course_lib.music.files`` reads and writes."""
