"""How every use case stands, on one page: live, good, judged, waiting, failing. For people."""
