"""The report on a window: our page, Evidently's pages, and where they stand in MLflow."""
