"""Models of the LDSeg authors' implementation, read from their Keras files without TensorFlow."""
