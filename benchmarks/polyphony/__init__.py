"""Models of polyphonic frames beside their published likelihoods: ``python -m benchmarks.polyphony --help``."""
