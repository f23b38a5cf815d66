"""What every room stands on: errors, digests, files, elapsed time, seeds. Knows nothing of medicine."""
