"""The commands of `dense`, one module per topic; each command imports its code when called."""
