"""A champion made smaller: quantization, pruning, distillation, and the measured trade-off."""
