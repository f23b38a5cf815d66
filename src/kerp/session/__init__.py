"""What did happen and what follows: the pure engine (fold, decide, advise)."""
