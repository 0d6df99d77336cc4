"""This Pi: its two doors (host), its facts, its state and the loop that runs a plan."""
