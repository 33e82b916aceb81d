"""How well the models segment, what their uncertainty is worth, and how other networks compare."""
