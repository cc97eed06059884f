"""`dense up`: Prefect, MLflow, PostgreSQL and a worker under one supervisor."""
