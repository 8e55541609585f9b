"""A fitted pipeline as look-up tables and one float64 ONNX graph, with the proof that it agrees."""
