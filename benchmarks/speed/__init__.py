"""How long segmenting takes, and how much memory it needs."""
