"""What a worker tells of itself: metrics, access log, spans, its state for other workers."""
