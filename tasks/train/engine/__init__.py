"""The driver's side of a trial: slots, locks, processes, failures, recovery."""
