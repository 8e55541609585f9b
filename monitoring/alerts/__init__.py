"""Telling people, once: policy, messages, channels, outbox."""
