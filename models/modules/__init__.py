"""Lightning modules: training steps, losses, weight averaging, DP-SGD."""
