"""What the verbs of course.py do inside the environment."""
