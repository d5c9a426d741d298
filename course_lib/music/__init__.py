"""Music as data: pieces, files, datasets, encodings, metrics. Imports no neural network."""
