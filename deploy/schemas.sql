-- Each server has a schema of its own: both keep their version in a table of one name.
CREATE SCHEMA IF NOT EXISTS mlflow;
CREATE SCHEMA IF NOT EXISTS prefect;
