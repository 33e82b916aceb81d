"""From an image to masks with uncertainty: preprocess, embed, sample, decode, sum up."""
