"""``python -m benchmarks.polyphony``: see ``program``."""

from benchmarks.polyphony.program import main

if __name__ == "__main__":
    main()
