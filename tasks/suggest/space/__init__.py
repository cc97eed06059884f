"""The search space: parameters, constraints, priors, initial design."""
