"""The flow `study`: one run of a study, its session and its display."""
