"""The demo: an embedded Lambda endpoint, sample functions, and a walk through the guard."""
