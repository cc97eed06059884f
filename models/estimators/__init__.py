"""scikit-learn's estimators, built and stored without pickle."""
