"""Networks in plain Keras: tensors in, tensors out. Imports no music."""
