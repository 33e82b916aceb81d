"""What survives: hostile files, killed batches, images larger than memory."""
