"""The champion: re-test, final training, test score, gate decision, registration."""
