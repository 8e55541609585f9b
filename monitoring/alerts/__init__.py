"""Telling people, once: policy, notices, messages, channels, outbox."""
