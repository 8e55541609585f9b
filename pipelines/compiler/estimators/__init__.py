"""Fitted estimators as nodes of an ONNX graph: one file for each kind that compiles."""
