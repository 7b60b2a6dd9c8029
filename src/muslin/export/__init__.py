"""Networks on their way out, to ONNX and PyTorch, and in, from PyTorch, scikit-learn, Keras and ONNX."""
