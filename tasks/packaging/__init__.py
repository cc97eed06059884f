"""From trained weights to a served MLflow model."""
