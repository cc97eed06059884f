"""Trials that are better together: chosen, packed into one model, scored, judged, registered."""
