"""What a worker tells of itself: metrics and access log."""
