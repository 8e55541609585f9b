"""What is to be predicted, and how: task, keys, event time, split, estimator, amounts."""
