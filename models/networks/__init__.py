"""Networks that are trained from scratch, and the heads of all."""
