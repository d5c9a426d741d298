"""Speed of the course beside its peers, side by side in one run: ``python -m benchmarks --help``."""
