"""Signing in, second factors, session limits, step-up."""
