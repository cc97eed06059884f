"""Ensembles: trials selected, packed into one model, scored, gated, registered."""
