"""A synthetic person: drug response, learning, behaviour. Traits only, no processes."""
