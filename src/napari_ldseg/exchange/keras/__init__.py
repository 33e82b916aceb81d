"""Read models of the LDSeg authors' implementation from their Keras files, without TensorFlow."""
