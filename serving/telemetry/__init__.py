"""What a worker tells of itself: metrics, access log and spans."""
