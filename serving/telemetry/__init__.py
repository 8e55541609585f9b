"""What a worker tells of itself: metrics, access log, and its state for the other workers."""
